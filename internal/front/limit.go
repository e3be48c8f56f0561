package front

import "log/slog"

// LowDescriptors is the limit of file descriptors below which the operator is told: three quarters of it are connections. With
// browsers that keep theirs for 15 s they are good for some 200 new visitors a second.
const LowDescriptors = 4096

// mostConns bounds a public listener where there are descriptors enough: it is memory then that limits.
const mostConns = 20_000

// MaxConns is how many connections a public listener may hold: three quarters of the descriptors, so that the stores, the
// broker and the admin port have the rest. A flood of connections must not take the files of a store.
//
// The limit has been raised to the hard one by then, less one: Go's package os does that at the start of every program (since 1.19), and
// gives child processes the old one.
func MaxConns() int {
	limit := Descriptors()
	if limit <= 0 {
		return mostConns
	}
	return max(min(limit-limit/4, mostConns), 1)
}

// ReportDescriptors logs a limit that is low.
func ReportDescriptors(log *slog.Logger) {
	if limit := Descriptors(); limit > 0 && limit < LowDescriptors {
		log.Warn("few file descriptors: raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd)",
			"limit", limit, "recommended", LowDescriptors, "most connections", MaxConns())
	}
}

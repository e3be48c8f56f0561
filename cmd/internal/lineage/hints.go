package lineage

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"millrace/emit/lake/commits"
	"millrace/engine"
	"millrace/internal/deadletter"
)

// waysOut is what an operator can do about errLog.
func (g *Guard) waysOut() string {
	if g.opts.Embedded {
		return fmt.Sprintf("put %s back as it was; or, to go on with an empty log, %s", g.opts.Dir.Broker(), g.StartAnew())
	}
	return "put the topic back as it was; or, to go on with an empty log, " + g.StartAnew()
}

// StartAnew is how an operator begins with an empty log and the old numbers.
func (g *Guard) StartAnew() string {
	archive := `move the data folder away (but keep its "secret")`
	from := "file://OLD-FOLDER/lake"
	if g.opts.Bucket {
		archive += ` and give the archive a new prefix with --s3`
		from = "OLD-ADDRESS"
	}
	replay := fmt.Sprintf(`; "millrace replay --s3 %s" then computes the old numbers again`, from)
	if g.opts.Embedded && !g.opts.Bucket {
		return archive + replay + ": " + g.moveAway()
	}
	if g.opts.Embedded {
		return archive + replay
	}
	return fmt.Sprintf("stop all processes, delete the topics %s, %s, %s and %s, and %s%s",
		g.events(), g.windows(), g.opts.Names.Of(commits.Topic), g.table(), archive, replay)
}

// moveAway are the commands of StartAnew where everything is in the data folder.
func (g *Guard) moveAway() string {
	data := g.opts.Dir.Path()
	old := data + ".old"
	if strings.ContainsAny(data, " '\"$\\`") {
		data, old = strconv.Quote(data), strconv.Quote(old)
	}
	return fmt.Sprintf("mv %[1]s %[2]s && mkdir -m 700 %[1]s && cp %[2]s/secret %[1]s/ && millrace replay --data %[1]s --s3 file://%[2]s/lake", data, old)
}

// restoreWaysOut is what can be done about an archive beside a log, both new to this folder, that
// do not belong together.
func (g *Guard) restoreWaysOut() string {
	return "to count what it has and go on with a new log, " + g.StartAnew() + "; and start"
}

// forgetGroup is how an operator has groups begin with the oldest record. An offset set to the
// beginning would not do for the engine: where the first records have expired it would mean that
// those before it are in the state.
func (g *Guard) forgetGroup(groups ...string) string {
	if g.opts.Embedded {
		return "delete " + filepath.Join(g.opts.Dir.Broker(), "groups.log")
	}
	return fmt.Sprintf(`run "kafka-consumer-groups --delete --group %s"`, strings.Join(groups, " --group "))
}

// windowsWaysOut is what can be done when a sink has to begin anew with the windows.
func (g *Guard) windowsWaysOut(group string) string {
	return fmt.Sprintf(`stop, %s, start, and run "millrace replay" later, for the windows that were lost with it`, g.forgetGroup(group))
}

// changelogWaysOut is what can be done when the changelog is lost and the events are not.
func (g *Guard) changelogWaysOut() string {
	return fmt.Sprintf(`put it back as it was; or stop, delete %s and %s, start: the events that the log has are counted again, to the same numbers; `+
		`and run "millrace replay" later, for the minutes that it has only a part of`, g.opts.Dir.State(), g.forgetGroup(g.engine()))
}

// badChangelogWaysOut is what can be done about errChangelog.
func (g *Guard) badChangelogWaysOut() string {
	remove := fmt.Sprintf(`run "kafka-topics --delete --topic %s"`, g.table())
	if g.opts.Embedded {
		remove = fmt.Sprintf("delete the folders %s/partitions/%s-*", g.opts.Dir.Broker(), g.table())
	}
	return fmt.Sprintf(`if a newer version wrote it, start that one; else stop, %s, delete %s, %s, start: the events that the log has are counted again, `+
		`and run "millrace replay" later, for the minutes that it has only a part of`, remove, g.opts.Dir.State(), g.forgetGroup(g.engine()))
}

// badIdentityWaysOut is what can be done about errIdentity. The file only has which log the
// folder was made of.
func (g *Guard) badIdentityWaysOut() string {
	if g.opts.Embedded {
		return "delete it, and start: it is made again, and nothing is lost"
	}
	return "restore it; or, if --kafka names the cluster that the data folder was made of, delete it, and start: it is made again, and nothing is lost"
}

// explain adds what an operator can do to an error of the engine.
func (g *Guard) explain(err error) error {
	if !errors.Is(err, engine.ErrBehind) {
		return err
	}
	return fmt.Errorf(`%w; to count again what the log still has: stop, %s, start; and run "millrace replay" later, for the minutes that `+
		`the log has only a part of`, err, g.forgetGroup(g.engine()))
}

// DamagedLog is what can be done about a damaged part of the embedded broker's log without losing
// anything that is not lost already. Topic is that of the damaged partition, "" if the damage is
// elsewhere; path is the damaged file or folder, relative to the broker's.
func (g *Guard) DamagedLog(topic, path string) string {
	part := filepath.Join(g.opts.Dir.Broker(), path)
	groups := filepath.Join(g.opts.Dir.Broker(), "groups.log")
	switch {
	case topic == g.windows():
		return fmt.Sprintf(`no event is in it: delete %s and %s, and start; run "millrace replay" later, for windows that had not been stored yet`, part, groups)
	case topic == g.table():
		_, partition, _ := strings.Cut(filepath.Base(path), topic+"-")
		return fmt.Sprintf(`no event is in it: delete %s, %s and %s, and start: the events that the log has are counted again, to the same numbers; `+
			`run "millrace replay" later, for the minutes that it has only a part of`, part, filepath.Join(g.opts.Dir.State(), "partition-"+partition), groups)
	case topic == g.opts.Names.Of(deadletter.Topic):
		return fmt.Sprintf("no event is in it but what could not be read: delete %s, and start; its dead letters are lost", part)
	case topic == g.opts.Names.Of(commits.Topic):
		return fmt.Sprintf("no event is in it: delete %s, and start: the archive has what it says", part)
	case part == groups:
		return fmt.Sprintf("delete %s, and start: each role knows itself how far it has got, and nothing is lost", part)
	default:
		return fmt.Sprintf("restore %s from a copy; or, to go on with an empty log, %s: lost is then what the archive does not have", part, g.StartAnew())
	}
}

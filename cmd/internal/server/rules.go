package server

import (
	"context"
	"log/slog"

	"millrace/cmd/internal/rules"
	"millrace/engine"
	"millrace/internal/blob"
)

// leaveRules leaves the engine's rules with an archive, for replay and import, and watches them
// there until the closers stop it. An archive that is away for now is tried again.
func leaveRules(ctx context.Context, archive blob.Store, own engine.Rules, closers *closers, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, archiveWait)
	defer cancel()
	if err := rules.Leave(ctx, archive, own); err != nil {
		log.Warn("replay and import may count by other rules, until the archive has those of this process", "err", err)
	}
	closers.add("rules", inBackground(func(ctx context.Context) { rules.Watch(ctx, archive, own, log) }))
}

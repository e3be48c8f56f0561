package lineage

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"millrace/engine"
	"millrace/internal/kafka"
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
	if g.opts.Embedded {
		return archive + replay
	}
	return fmt.Sprintf("stop all processes, delete the topics %s, %s and %s, and %s%s",
		engine.EventsTopic, engine.WindowsTopic, kafka.TableTopic(engine.Group), archive, replay)
}

// forgetGroup is how an operator has groups begin with the oldest record. An offset set to the beginning would not do for the
// engine: where the first records have expired it says that those before it are in the state.
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
		`and run "millrace replay" later, for the minutes that it has only a part of`, g.opts.Dir.State(), g.forgetGroup(engine.Group))
}

// badChangelogWaysOut is what can be done about errChangelog.
func (g *Guard) badChangelogWaysOut() string {
	remove := fmt.Sprintf(`run "kafka-topics --delete --topic %s"`, kafka.TableTopic(engine.Group))
	if g.opts.Embedded {
		remove = fmt.Sprintf("delete the folders %s/partitions/%s-*", g.opts.Dir.Broker(), kafka.TableTopic(engine.Group))
	}
	return fmt.Sprintf(`if a newer version wrote it, start that one; else stop, %s, delete %s, %s, start: the events that the log has are counted again, `+
		`and run "millrace replay" later, for the minutes that it has only a part of`, remove, g.opts.Dir.State(), g.forgetGroup(engine.Group))
}

// explain adds what an operator can do to an error of the engine.
func (g *Guard) explain(err error) error {
	if !errors.Is(err, engine.ErrBehind) {
		return err
	}
	return fmt.Errorf(`%w; to count again what the log still has: stop, %s, start; and run "millrace replay" later, for the minutes that `+
		`the log has only a part of`, err, g.forgetGroup(engine.Group))
}

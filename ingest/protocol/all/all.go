package all

import (
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/amplitude"
	"millrace/ingest/protocol/aptabase"
	"millrace/ingest/protocol/countly"
	"millrace/ingest/protocol/ga4"
	"millrace/ingest/protocol/goatcounter"
	"millrace/ingest/protocol/jitsu"
	"millrace/ingest/protocol/matomo"
	"millrace/ingest/protocol/mixpanel"
	"millrace/ingest/protocol/openpanel"
	"millrace/ingest/protocol/pirsch"
	"millrace/ingest/protocol/pixel"
	"millrace/ingest/protocol/plausible"
	"millrace/ingest/protocol/posthog"
	"millrace/ingest/protocol/script"
	"millrace/ingest/protocol/segment"
	"millrace/ingest/protocol/sensors"
	"millrace/ingest/protocol/snowplow"
	"millrace/ingest/protocol/swetrix"
	"millrace/ingest/protocol/ua"
	"millrace/ingest/protocol/umami"
	"millrace/ingest/protocol/v1"
)

// Protocols returns all protocols. The page script is served at further paths, too.
func Protocols(scriptPaths ...string) []protocol.Protocol {
	return []protocol.Protocol{
		v1.Protocol(),
		plausible.Protocol(),
		pixel.Protocol(),
		matomo.Protocol(),
		ga4.Protocol(),
		umami.Protocol(),
		posthog.Protocol(),
		segment.Protocol(),
		ua.Protocol(),
		snowplow.Protocol(),
		mixpanel.Protocol(),
		amplitude.Protocol(),
		script.Protocol(scriptPaths...),
		countly.Protocol(),
		openpanel.Protocol(),
		jitsu.Protocol(),
		pirsch.Protocol(),
		swetrix.Protocol(),
		aptabase.Protocol(),
		goatcounter.Protocol(),
		sensors.Protocol(),
	}
}

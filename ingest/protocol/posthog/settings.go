package posthog

import (
	"strings"

	"millrace/ingest/protocol"
)

// What clients ask for besides sending events. Nothing is switched on; hasFeatureFlags is false so
// that posthog-js does not ask for flags on each page.
const (
	config = `{` + settled + `,"hasFeatureFlags":false}`
	flags  = `{` + noFlags + `}`
	decide = `{"config":{"enable_collect_everything":true},` + settled + `,` + noFlags + `}`

	noFlags = `"flags":{},"featureFlags":{},"featureFlagPayloads":{},"errorsWhileComputingFlags":false`
	settled = `"supportedCompression":["gzip","gzip-js"],"analytics":{"endpoint":"/e/"},"sessionRecording":false,` +
		`"surveys":false,"heatmaps":false,"capturePerformance":false,"captureDeadClicks":false,` +
		`"autocapture_opt_out":false,"autocaptureExceptions":false,"elementsChainAsString":true,` +
		`"defaultIdentifiedOnly":true,"isAuthenticated":false,"toolbarParams":{},"siteApps":[]`
)

// settings answers with a JSON that is always the same.
type settings struct {
	refuser
	body string
}

// Read returns no events. What the client says of the visitor is passed over.
func (settings) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	if r.Ctx.IsPost() {
		if _, ref := r.BodyAs(""); ref != nil {
			return nil, ref
		}
	}
	return nil, nil
}

// Accept answers.
func (s settings) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString(s.body)
}

// script answers with the settings as the script that posthog-js loads before it asks for them as
// JSON.
type script struct{ refuser }

// Read returns no events. The token stands in the script, so it has to be one.
func (script) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	if token := r.PathValue("token"); strings.Trim(token, tokenLetters) != "" {
		return nil, protocol.Invalid(protocol.BadField("token", "%s is not one of A-Z a-z 0-9 _ -", protocol.Quote(token)))
	}
	return nil, nil
}

const tokenLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// Accept answers.
func (script) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("text/javascript")
	r.Ctx.Response.AppendBodyString(`(window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{})["` +
		r.PathValue("token") + `"]={config:` + config + `,siteApps:[]};`)
}

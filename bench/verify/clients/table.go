package clients

import (
	"fmt"
	"path"
	"strings"
)

// Answer is what a client gets for its first request.
type Answer string

// The answers, in the order of the table.
const (
	Accepted    Answer = "accepted" // the collector has the events
	Invalid     Answer = "400"      // the collector refuses: something in it is wrong
	TooLarge    Answer = "413"      // the collector refuses: more than it takes at once
	TooMany     Answer = "429"      // the collector refuses: over a rate, with Retry-After
	Unavailable Answer = "503"      // the collector refuses: it can't write to the log, with Retry-After
	Mistake     Answer = "500"      // the collector refuses: a mistake in Millrace
	NoCollector Answer = "502"      // a proxy's: there is no collector behind it
	Closed      Answer = "closed"   // the connection is reset without an answer, and nothing was taken
	Lost        Answer = "lost"     // the connection is reset without an answer, and all was taken
)

// Answers returns all of them.
func Answers() []Answer {
	return []Answer{Accepted, Invalid, TooLarge, TooMany, Unavailable, Mistake, NoCollector, Closed, Lost}
}

// Does is what a client does after an answer.
type Does string

// What clients do.
const (
	Done  Does = "success" // it takes the events for delivered
	Again Does = "again"   // it sends them again, by itself
	Kept  Does = "kept"    // it keeps them, and sends them with the next event or when it is told to
	Final Does = "final"   // it gives them up
)

// Sees is what a client tells its caller in the end.
type Sees string

// What callers see.
const (
	Success Sees = "success"
	Failure Sees = "failure" // an error, or the status for those that look at it
	Nothing Sees = "nothing" // neither, or there is no way to
	Crash   Sees = "crash"   // an exception that no caller can catch ends the process
)

// Cell is what a client does with an answer.
type Cell struct {
	// Status is what the client got, which for a refusal is what the protocol has in its place. 0 is
	// none.
	Status int
	Does   Does
	Sees   Sees
	// Counted is how often each event is counted in the end.
	Counted int
}

// String returns the cell as it is in the source.
func (c Cell) String() string {
	return fmt.Sprintf("{%d, %s, %s, %d}", c.Status, goName[string(c.Does)], goName["sees "+string(c.Sees)], c.Counted)
}

// goName has the names of the constants above.
var goName = map[string]string{
	"success": "Done", "again": "Again", "kept": "Kept", "final": "Final",
	"sees success": "Success", "sees failure": "Failure", "sees nothing": "Nothing", "sees crash": "Crash",
}

// Client is a library, and what was seen of it.
type Client struct {
	// Name and Version are those of the package.
	Name, Version string
	// Use is in which of several ways it is used, "" for that of its documentation's first example.
	Use string
	// Protocol is what it speaks, the Name of a protocol.Protocol.
	Protocol string
	// ID is the field by which an event is known if it comes again, "" for none.
	ID string
	// Script is the file that runs it: of node/, or a page of browser/, which ends in .html.
	Script string
	// Token is a format of the tracker's id of a site, with %d.
	Token string
	// Secret says that Token is a secret of the tracker's servers, which is made a write key of the
	// site.
	Secret bool
	// Repeats is how often it sends an event again by itself while it gets 503 each time, before it
	// gives the event up. 0: never, or it was not waited for.
	Repeats int
	// Note is what a cell has no room for.
	Note string
	// Cells has all Answers.
	Cells map[Answer]Cell
}

// slug returns the name of the script, which is unlike that of any other.
func (c *Client) slug() string { return strings.TrimSuffix(c.Script, path.Ext(c.Script)) }

// InBrowser reports whether it runs in a page, and not in node.
func (c *Client) InBrowser() bool { return path.Ext(c.Script) == ".html" }

// folder returns where its script and its package are.
func (c *Client) folder() string {
	if c.InBrowser() {
		return "browser"
	}
	return "node"
}

// What the clients ran in.
const (
	Node     = "20.20.2"
	Chromium = "156"
)

// Table returns the clients and what each does.
func Table() []Client { return append(nodeTable(), browserTable()...) }

func nodeTable() []Client {
	return []Client{
		{
			Name: "posthog-node", Version: "5.70.0", Protocol: "posthog", ID: "uuid",
			Script: "posthog-node.cjs", Token: "phc_%d", Repeats: 3,
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {503, Again, Success, 1},
				Unavailable: {503, Again, Success, 1},
				Mistake:     {400, Final, Failure, 0},
				NoCollector: {502, Again, Success, 1},
				Closed:      {0, Again, Success, 1},
				Lost:        {0, Again, Success, 1},
			},
		},
		{
			Name: "@segment/analytics-node", Version: "3.1.0", Protocol: "segment", ID: "messageId",
			Script: "segment-analytics-node.cjs", Token: "segment%d",
			Note: "By `maxRetries` 10 times, with longer and longer pauses; at 429 after each Retry-After",
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {429, Again, Success, 1},
				Unavailable: {503, Again, Success, 1},
				Mistake:     {400, Final, Failure, 0},
				NoCollector: {502, Again, Success, 1},
				Closed:      {0, Again, Success, 1},
				Lost:        {0, Again, Success, 1},
			},
		},
		{
			Name: "analytics-node", Version: "6.2.0", Use: "with errorHandler", Protocol: "segment", ID: "messageId",
			Script: "analytics-node.cjs", Token: "analyticsnode%d", Repeats: 3,
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {429, Again, Success, 1},
				Unavailable: {503, Again, Success, 1},
				Mistake:     {400, Final, Failure, 0},
				NoCollector: {502, Again, Success, 1},
				Closed:      {0, Again, Success, 1},
				Lost:        {0, Again, Success, 1},
			},
		},
		{
			Name: "@rudderstack/rudder-sdk-node", Version: "3.0.13", Protocol: "segment", ID: "messageId",
			Script: "rudder-sdk-node.cjs", Token: "rudder%d", Repeats: 3,
			Note: "What it gives up, after repeats too, ends the process: set `errorHandler`",
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Crash, 0},
				TooLarge:    {413, Final, Crash, 0},
				TooMany:     {429, Again, Success, 1},
				Unavailable: {503, Again, Success, 1},
				Mistake:     {400, Final, Crash, 0},
				NoCollector: {502, Again, Success, 1},
				Closed:      {0, Again, Success, 1},
				Lost:        {0, Again, Success, 1},
			},
		},
		{
			Name: "@rudderstack/rudder-sdk-node", Version: "3.0.13", Use: "with errorHandler", Protocol: "segment", ID: "messageId",
			Script: "rudder-errorhandler.cjs", Token: "errorhandler%d", Repeats: 3,
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {429, Again, Success, 1},
				Unavailable: {503, Again, Success, 1},
				Mistake:     {400, Final, Failure, 0},
				NoCollector: {502, Again, Success, 1},
				Closed:      {0, Again, Success, 1},
				Lost:        {0, Again, Success, 1},
			},
		},
		{
			Name: "@snowplow/node-tracker", Version: "4.8.0", Protocol: "snowplow", ID: "eid",
			Script: "snowplow-node-tracker.cjs", Token: "app-%d",
			Note: "It has no timer",
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {400, Final, Failure, 0},
				TooMany:     {429, Kept, Success, 1},
				Unavailable: {503, Kept, Success, 1},
				Mistake:     {400, Final, Failure, 0},
				NoCollector: {502, Kept, Success, 1},
				Closed:      {0, Kept, Success, 1},
				Lost:        {0, Kept, Success, 1},
			},
		},
		{
			Name: "@amplitude/analytics-node", Version: "1.5.73", Protocol: "amplitude", ID: "insert_id",
			Script: "amplitude-analytics-node.cjs", Token: "amplitude%d",
			Note: "By `flushMaxRetries` 11 times, within about a minute",
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {429, Again, Success, 1},
				Unavailable: {503, Again, Success, 1},
				Mistake:     {400, Final, Failure, 0},
				NoCollector: {502, Again, Success, 1},
				Closed:      {0, Final, Failure, 0},
				Lost:        {0, Final, Failure, 1},
			},
		},
		{
			Name: "@amplitude/analytics-node", Version: "1.5.73", Use: "by flush()", Protocol: "amplitude", ID: "insert_id",
			Script: "amplitude-flush.cjs", Token: "flush%d",
			Note: "Let its timer send what may not be lost",
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {429, Final, Failure, 0},
				Unavailable: {503, Final, Failure, 0},
				Mistake:     {400, Final, Failure, 0},
				NoCollector: {502, Final, Failure, 0},
				Closed:      {0, Final, Failure, 0},
				Lost:        {0, Final, Failure, 1},
			},
		},
		{
			Name: "mixpanel", Version: "0.24.0", Protocol: "mixpanel",
			Script: "mixpanel.cjs", Token: "mixpanel%d",
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {429, Final, Failure, 0},
				Unavailable: {503, Final, Failure, 0},
				Mistake:     {400, Final, Failure, 0},
				NoCollector: {502, Final, Failure, 0},
				Closed:      {0, Final, Failure, 0},
				Lost:        {0, Final, Failure, 1},
			},
		},
		{
			Name: "@umami/node", Version: "0.4.0", Protocol: "umami",
			Script: "umami-node.cjs", Token: "4fb7fa4c-5b46-438d-94b3-%012d",
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {429, Final, Failure, 0},
				Unavailable: {503, Final, Failure, 0},
				Mistake:     {500, Final, Failure, 0},
				NoCollector: {502, Final, Failure, 0},
				Closed:      {0, Final, Failure, 0},
				Lost:        {0, Final, Failure, 1},
			},
		},
		{
			Name: "matomo-tracker", Version: "2.2.4", Protocol: "matomo",
			Script: "matomo-tracker.cjs", Token: "%d",
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {429, Final, Failure, 0},
				Unavailable: {503, Final, Failure, 0},
				Mistake:     {500, Final, Failure, 0},
				NoCollector: {502, Final, Failure, 0},
				Closed:      {0, Final, Failure, 0},
				Lost:        {0, Final, Failure, 1},
			},
		},
		{
			Name: "universal-analytics", Version: "0.5.3", Protocol: "ua",
			Script: "universal-analytics.cjs", Token: "UA-%d-1",
			Note: "An error without a body is a success to it: those of Millrace have one",
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {429, Final, Failure, 0},
				Unavailable: {503, Final, Failure, 0},
				Mistake:     {500, Final, Failure, 0},
				NoCollector: {502, Final, Failure, 0},
				Closed:      {0, Final, Failure, 0},
				Lost:        {0, Final, Failure, 1},
			},
		},
		{
			Name: "@analytics-debugger/ga4mp", Version: "0.0.8", Protocol: "ga4",
			Script: "ga4mp.cjs", Token: "G-AB%d",
			Cells: map[Answer]Cell{
				Accepted:    {204, Done, Nothing, 1},
				Invalid:     {400, Final, Nothing, 0},
				TooLarge:    {413, Final, Nothing, 0},
				TooMany:     {429, Final, Nothing, 0},
				Unavailable: {503, Final, Nothing, 0},
				Mistake:     {500, Final, Nothing, 0},
				NoCollector: {502, Final, Nothing, 0},
				Closed:      {0, Final, Nothing, 0},
				Lost:        {0, Final, Nothing, 1},
			},
		},
		{
			Name: "@openpanel/sdk", Version: "1.3.1", Protocol: "openpanel",
			Script: "openpanel-sdk.cjs", Token: "openpanel%d", Repeats: 3,
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {401, Final, Failure, 0},
				TooLarge:    {401, Final, Failure, 0},
				TooMany:     {429, Again, Success, 1},
				Unavailable: {503, Again, Success, 1},
				Mistake:     {401, Final, Failure, 0},
				NoCollector: {502, Again, Success, 1},
				Closed:      {0, Again, Success, 1},
				Lost:        {0, Again, Success, 2},
			},
		},
		{
			Name: "@jitsu/js", Version: "1.11.0", Protocol: "jitsu", ID: "messageId",
			Script: "jitsu-js.cjs", Token: "jitsu%d",
			Note: "Its promise has no error, only the console does",
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Success, 0},
				TooLarge:    {413, Final, Success, 0},
				TooMany:     {429, Final, Success, 0},
				Unavailable: {503, Final, Success, 0},
				Mistake:     {500, Final, Success, 0},
				NoCollector: {502, Final, Success, 0},
				Closed:      {0, Final, Success, 0},
				Lost:        {0, Final, Success, 1},
			},
		},
		{
			Name: "countly-sdk-nodejs", Version: "24.10.4", Use: "Bulk", Protocol: "countly", ID: "timestamp",
			Script: "countly-bulk.cjs", Token: "countly%d",
			Note: "Again each minute (`fail_timeout`), without end, and all else waits: what is refused for ever is answered with 200. Its callback says that nothing is left, whatever became of it",
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {200, Final, Success, 0},
				TooLarge:    {200, Final, Success, 0},
				TooMany:     {429, Again, Success, 1},
				Unavailable: {503, Again, Success, 1},
				Mistake:     {200, Final, Success, 0},
				NoCollector: {502, Again, Success, 1},
				Closed:      {0, Again, Success, 1},
				Lost:        {0, Again, Success, 1},
			},
		},
		{
			Name: "pirsch-sdk", Version: "2.9.1", Protocol: "pirsch",
			Script: "pirsch-sdk.cjs", Token: "pa_%045d", Secret: true,
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {429, Final, Failure, 0},
				Unavailable: {503, Final, Failure, 0},
				Mistake:     {500, Final, Failure, 0},
				NoCollector: {502, Final, Failure, 0},
				Closed:      {0, Final, Failure, 0},
				Lost:        {0, Final, Failure, 1},
			},
		},
		{
			Name: "@aptabase/web", Version: "0.5.0", Use: "in node", Protocol: "aptabase", ID: "timestamp",
			Script: "aptabase-web.cjs", Token: "A-SH-%d",
			Note: "Its promise has no error, only the console does",
			Cells: map[Answer]Cell{
				Accepted:    {200, Done, Success, 1},
				Invalid:     {400, Final, Success, 0},
				TooLarge:    {413, Final, Success, 0},
				TooMany:     {503, Final, Success, 0},
				Unavailable: {503, Final, Success, 0},
				Mistake:     {400, Final, Success, 0},
				NoCollector: {502, Final, Success, 0},
				Closed:      {0, Final, Success, 0},
				Lost:        {0, Final, Success, 1},
			},
		},
		{
			Name: "GoatCounter's API by fetch", Protocol: "goatcounter",
			Script: "goatcounter-api.cjs", Token: "goatcounter%d", Secret: true,
			Cells: map[Answer]Cell{
				Accepted:    {202, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {429, Final, Failure, 0},
				Unavailable: {503, Final, Failure, 0},
				Mistake:     {500, Final, Failure, 0},
				NoCollector: {502, Final, Failure, 0},
				Closed:      {0, Final, Failure, 0},
				Lost:        {0, Final, Failure, 1},
			},
		},
		{
			Name: "Measurement Protocol by fetch", Protocol: "ga4",
			Script: "measurement-protocol.cjs", Token: "G-CD%d",
			Cells: map[Answer]Cell{
				Accepted:    {204, Done, Success, 1},
				Invalid:     {400, Final, Failure, 0},
				TooLarge:    {413, Final, Failure, 0},
				TooMany:     {429, Final, Failure, 0},
				Unavailable: {503, Final, Failure, 0},
				Mistake:     {500, Final, Failure, 0},
				NoCollector: {502, Final, Failure, 0},
				Closed:      {0, Final, Failure, 0},
				Lost:        {0, Final, Failure, 1},
			},
		},
	}
}

// Package protocol is the interface between the collector and the protocols of trackers, and what
// several protocols need: bodies, fields, sites, refusals, answers.
//
// In goes a request of a tracker; out come Inputs, events as their sender describes them, or a
// Refusal. The collector does the rest: it finds the endpoint, answers OPTIONS and other methods,
// finds out who calls, limits rates and memory, checks the sites, completes the events
// (Input.Complete), waits for Kafka, and then calls the Handler again for the answer.
//
// # How to add a protocol
//
// A protocol is a folder here and a line in package all. No other code of the program changes.
//
// 1. Record what the tracker sends: its paths, methods, headers and bodies, and the answers that it
// expects. Make a script of it, ingest/protocol/NAME/testdata/NAME.txt, with the requests and no
// outcomes yet (package all says how a script is written; its tests play those of all protocols).
//
// 2. Write NAME.go: the function Protocol and a Handler for each kind of endpoint.
//
//	func Protocol() protocol.Protocol {
//		return protocol.Protocol{
//			Name: "counter",
//			Endpoints: []protocol.Endpoint{
//				{Path: "/count", Methods: []string{"GET", "POST"}, Handler: handler{}},
//			},
//		}
//	}
//
//	type handler struct{}
//
//	func (handler) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
//		query := r.Query()
//		site, ok := protocol.FindDomain(r.Sites, string(query.Peek("host")))
//		if !ok || protocol.CheckSite(site) != "" {
//			return nil, protocol.BadRequest(protocol.ReasonSite, "host", "is no site of this installation")
//		}
//		p := &r.Parser
//		in := p.Next()
//		in.Site, in.Name = site, event.Pageview
//		in.URL = p.LooseText("https://"+site+string(query.Peek("path")), protocol.MaxURL, protocol.FieldURL)
//		return p.Inputs(), nil
//	}
//
//	func (handler) Accept(r *protocol.Request, _ protocol.Outcome) { protocol.WriteGIF(r.Ctx) }
//
//	func (handler) Refuse(r *protocol.Request, ref *protocol.Refusal) { protocol.RefuseJSON(r.Ctx, ref) }
//
// 3. Write doc.go: where the protocol is described, what of it is read and what is passed over.
//
// 4. Add the line NAME.Protocol() to package all.
//
// 5. Run go test ./ingest/protocol/all -run TestScripts/NAME -rewrite, and read what it has made of
// the scripts. Write a fuzz test of what reads bytes, as package pixel has it (see package
// protocoltest). Tests in NAME link no collector: what needs one is a script.
//
// 6. Add its rows to docs/events.md: paths, fields, answers, and pages that nobody has looked at.
//
// 7. Run the tracker's published library against it: a script and a row of the table in package
// bench/verify/clients.
//
// What trackers have, and where it goes:
//
//   - Several paths: an Endpoint each. A variable segment, /api/{project}/envelope:
//     Request.PathValue.
//   - A query: Request.Query. A body: Request.Body, unpacked by its header; Request.BodyAs
//     where the packing is named elsewhere, and Request.BodyByContent where nowhere. A form: fasthttp.Args.ParseBytes of the body. The type
//     of the content is not looked at: sendBeacon has text/plain.
//   - A body that is JSON: Parser.Document. A batch: Parser.Next for each event, at most MaxEvents;
//     Parser.AddEach, where a wrong one is not to take the others along.
//   - Messages of Segment's specification, as several trackers send them: Request.Messages.
//   - Tokens by Basic authorization, which are no write keys: Endpoint.BasicToken.
//   - Secrets of servers, which an operator may make write keys: Endpoint.SecretParam, BasicSecret,
//     Request.Secret.
//   - Tokens instead of names of sites: Sites.Token. Domains: FindDomain. Either: FindSite.
//   - Campaigns beside the address of the page: Parser.WithCampaign.
//   - Requests that only servers make, whose user agent is not a visitor's: Request.Server.
//   - A path that another protocol has too: Endpoint.Claims, which tells its requests from the
//     other's by what is in them. Two protocols that have a path and neither claims are an error.
//   - Answers: Handler.Accept. What it has to know of the request besides is in Request.State.
//   - Statuses at which clients send again: Handler.Refuse translates.
//   - Clients that never send again: Endpoint.NeverResends, or Request.NeverResends where it depends
//     on the client. What page can't read the answer at all (Sec-Fetch-Mode: no-cors, as with
//     sendBeacon) is known by itself.
//   - Pages that send with cookies: Endpoint.Credentials.
//   - A script of the tracker, or its settings: an Endpoint whose Read returns no events.
//   - Senders that can't mend a field (a script in a visitor's browser): the methods Loose of a
//     Parser cut what does not fit, and the answer names it. Programs whose author reads the
//     answer: String, Props and the other strict ones.
//
// ingest/protocol/all/tracker_test.go has a protocol with all of these.
//
// # Invariants
//
//   - An Input that Read returns has texts of valid UTF-8 without control characters, within the
//     limits (MaxURL and so on), and a Site that CheckSite lets pass. The methods of Parser see to
//     that.
//   - Inputs are views into the Parser and the body, and live until the next request.
//   - Read has no other effect than on its Request. A Handler may be called from any number of
//     goroutines, a Request belongs to one.
//   - A panic of Read refuses its request with 500 and ends nothing else; it is a mistake, which
//     is logged.
//   - Bodies are in memory that was reserved for them first (Memory).
//   - Ts, IP, UA and Named are taken of trusted callers only (Request.Trusted).
//
// Units: sizes are bytes, times event.Time.
//
// It does not: know a protocol by its name, listen, write to Kafka, or look at write keys and rates
// (package ingest does); find out who calls (package identity does).
package protocol

// Package enrich is what the engine finds out about one event: the page, where the visitor came from and by
// what channel, place and language, browser, system, device and screen, what goals it reached, and whether a program
// sent it.
//
// An [event.Event] goes in, a [window.Row] comes out; the goals come once, from package site (NewGoals). Live engine and
// replay use the same code, and an event carries only what the client said, so a wrong rule is repaired by correcting
// it here and replaying.
//
// Invariants:
//   - A row is a pure function of its event and the goals: the same event gives the same row in any order, in any
//     process, with any size of the caches.
//   - Every value of a row is valid UTF-8 and clean (window.Clean), in the one spelling that package spelling gives
//     it and its filters, or "" where the event does not count in the dimension.
//   - Memory is bounded and time per event is linear in the first few hundred bytes of each field, whatever
//     clients send: user agents that are all different cost one parse each and no more.
//
// The dimensions:
//
//	Page      path of the URL, without query and fragment, "/" if it is empty, in the one spelling that package
//	          spelling gives it. Trailing slashes stay as they came, unless the site's own spelling
//	          cuts them (site.Spelling, by Options.Goals). Where the site's pages are told apart by the
//	          fragment (Event.HashRoute) the path and "#" and the fragment up to its query: "/#/about".
//	EntryPage that page, if the event is a view of it: of an event without a visit. Package visit has the others.
//	Hostname  host of the URL in lower case, without "www." and port, in letters and not Punycode.
//	Source    who sent the visitor: the query parameter utm_source, else source, else ref, of the URL; else
//	          the name of the referrer's site (Google for any of its hosts and countries), its host where
//	          no name is known.
//	Referrer  host and path of the referrer, without "www.", port, query and trailing slash.
//	Channel   the kind of way the visitor came, by Google Analytics 4's rules with some changes, see channel.
//	UTM*      the parameters utm_source, utm_medium, ..., unescaped, as written. "&amp;" between parameters is "&".
//	Country   ISO 3166-1 alpha-2, upper case.
//	Region    ISO 3166-2, upper case.
//	City      GeoNames id, or the name where the collector knew no more.
//	Language  primary language and region of the first tag of the list: "de", "en-GB", "es-419".
//	Browser, OS, Device
//	          names as users know them; an app that shows pages in itself counts as a browser.
//	BrowserVersion
//	          major version.
//	OSVersion major version, with the minor one for macOS 10.x; of Windows the name. What browsers have frozen
//	          stays as they say it: macOS "10.15" and Android "10" may be any later one, and Windows
//	          "10" is 10 or 11, which can't be told apart.
//	Screen    Mobile below 576 CSS pixels of width, Tablet below 992, Laptop below 1440, else Desktop.
//	Name      the event's name.
//	Reason    why the sender is taken for a bot; only rows of bots have it.
//
// Beside the dimensions a row has the revenue, if the event has a currency and, where the site has told its own
// (Options.Goals), that one (amounts are not converted); all custom
// properties, at most MaxProps; and the names of the goals that it reached (Options.Goals): by the event's name, or by
// a pageview's Page, see site.Goal.
//
// What every browser could say and this one has not is window.None; a text of a site that looks like it or like window.Other
// is kept apart, see window.Literal. Other dimensions are "" where there is nothing to say, and count as lacking then, which
// readers see as window.None, too: UTM* without the parameter; Region and City, which need a database that
// not every installation has; EntryPage of what is no pageview; Reason of people. And what brings nobody: a
// referrer on the event's own host (or on its site, where the site's id is a host; "www." makes no difference)
// is a step within the site, and counts in none of Source, Referrer and Channel, unless a query parameter names
// something.
//
// An event that is not the first of its visit counts under the visit's origin: where it came from, place, language, browser,
// system, device and screen. So these are apart ([Deriver.Origin]), and asked for when a visit begins.
//
// A bot's row holds its flags, visitor and Reason only: nothing else is counted of it. Where a site counts bots as people
// (site.BotsCounted) no row is a bot's; where it drops them (site.BotsDropped) no window has the row. The collector's verdict
// (Event.Bot) comes first, then the user agent's. A client ending in ".server" is trusted to speak for
// somebody else, so its user agent says nothing about bots.
//
// A [Deriver] belongs to one goroutine; each partition and each replay has its own. Its callers are the engine
// and package replay.
//
// It does not: look at addresses (the collector does), remember visitors, or decide what a window counts.
//
// The list of crawlers is made from crawler-user-agents, see NOTICE. Its generator tries every name on the user agents of
// people, and makes longer or drops what is in them. What a user agent says of the device tells nothing of bots, see
// package device. Of 34,391 user agents of browsers in the tests of device-detector 6.5.1 none is taken for a bot's, and 1,289
// of its 1,348 of bots are; TestAgents counts them again.
package enrich

//go:generate go run ./internal/gen agents .

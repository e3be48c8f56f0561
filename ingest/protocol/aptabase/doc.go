// Package aptabase is the protocol of Aptabase's libraries for pages, apps and servers:
// POST /api/v0/event and POST /api/v0/events.
//
// A body is an event, or a list of them; the header App-Key is the token of the site.
//
//	{"timestamp":"2026-03-04T05:06:07.123Z","sessionId":"177260076712345678","eventName":"Purchase",
//	 "systemProps":{"locale":"de-AT","isDebug":false,"appVersion":"1.2.3","sdkVersion":"aptabase-web@0.5.0"},
//	 "props":{"plan":"pro"}}
//
// The site is the one that has the App-Key as a token, otherwise the one of the page's host, which
// browsers name in Origin and Referer. There are no views of pages in the protocol: each event is
// one by its name. The page is the Referer where that names one, which browsers tell servers of the
// page's own origin alone.
//
// Props are properties, also where they are JSON in a text; objects by keys with dots, lists as
// JSON. Revenue among them is the revenue, in currency or else the currency of the site; the
// protocol knows none. Of systemProps locale is a column; appVersion, appBuildNumber, osName,
// osVersion, deviceModel, engineName, engineVersion and an isDebug that is true are properties,
// those of props first. An event of a debug build counts, which Aptabase has apart: filter by
// isDebug.
//
// Timestamp is taken of trusted callers, of others passed over. Apps and servers send again what
// they had no answer to, and have no ids: the id is a hash of sessionId, timestamp, eventName and
// props, where there are the first two. SessionId and sdkVersion are passed over besides.
//
// A request that no page has made is a server's or an app's, whose user agent is not a browser's.
// One for a page that is rendered ahead does not count: the library knows nothing of such pages.
//
// Of a list what is wrong is left out, unless there is nothing else. Accepted is 200 with {}.
// Refused is {"error":"…"}. What the clients do at which answer:
//
//	@aptabase/web 0.5.0             below 300 is success, all else final: a warning in the console
//	@aptabase/react-native 0.5.1    2xx is success, 4xx final, 429 too; 5xx and no answer: again
//	aptabase 0.1.0 (Python)         2xx is success; all else, 4xx too, is sent again every 10 s for
//	                                ever, and what comes after it waits behind it
//
// So what is to be sent again is 503, in place of 429 too, and what is not is below 500.
//
// The sources are Aptabase's code (src/Features/Ingestion, 2026-07-28), what @aptabase/web 0.5.0
// and aptabase 0.1.0 (Python) were recorded to send, and the code of @aptabase/react-native 0.5.1.
package aptabase

// Package ua is the protocol of Universal Analytics: of analytics.js (GET and POST /collect,
// /j/collect, /r/collect), and version 1 of the Measurement Protocol (/collect, POST /batch).
//
// A hit is a form, in the query or in the body; a batch has one on each line, of which one that is
// no hit, or of no site, is left out.
//
//	v=1&tid=UA-XXXX-Y&cid=555&t=pageview&dl=https%3A%2F%2Fshop.example%2F&dt=Home
//	v=1&tid=UA-XXXX-Y&cid=555&t=event&ec=video&ea=play&el=spring&ev=3
//
// The site is the one whose token tid is, else the one of the page's host. The page is dl, of which
// dh and dp are host and path that go before, with dl's query; p is dp, as universal-analytics
// sends it. Read are besides dr, dt, ul, sr, the campaign (cs cm cn ck cc), ni, pa, cu, tr, pr1id
// and so on, cd1, cm1 and cg1 and so on, what props.go has, and of trusted callers uip, ua and qt.
//
// t=pageview is a view of a page. t=event is named by its action (ea), with category, label and
// value as properties, as gtag.js has it. screenview, social, transaction, exception, item and
// timing are events of these names; the last three are not the visitor's doing. The times of
// loading that analytics.js sends by itself (a timing without utv) and hits of advertisements (dc,
// sr) are left out. tr with cu is the revenue of a transaction or of pa=purchase, negative of
// pa=refund. Without cu it is in
// the site's currency, and where it has none the property value.
//
// The client is cid, or else uid. Passed over are aip, npa and what analytics.js has for itself.
//
// A request without a user agent is a server's, trusted or not, and no bot for that. One for a page
// that is rendered ahead does not count: analytics.js does not know how browsers do that today.
//
// Accepted is 200 with an image, at /j/collect with the text "1", which analytics.js takes for all
// that is to be done; Google answers so to what it does not take, too. Refused is the status of the
// Refusal with {"error":"..."}, final for each client: universal-analytics reports anything from
// 300 as an error, and sends nothing again.
//
// The sources are Google's reference of the protocol, the source of analytics.js (j79), and what
// universal-analytics 0.5.4 was recorded to send.
package ua

// Package pixel is the protocol of an image, for pages and mails that run no scripts: GET
// /v1/pixel.gif.
//
// The query has site, and may have name, url, referrer, language, screen, id, amount with currency,
// interactive, and p.KEY for each property. Without url the page is the one of the header Referer.
//
//	<img src="https://stats.example.com/v1/pixel.gif?site=example.com&p.campaign=june">
//
// Only a request without a site is refused. The rest is cut or left out, and named in
// X-Millrace-Adjusted. A page that is fetched before it is opened does not count, and neither does
// HEAD.
//
// Accepted is 200 with the image, which no cache keeps; refused is the status of the Refusal with
// {"error":"..."}.
package pixel

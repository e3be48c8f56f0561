// Package referrer names the sites that send visitors.
//
// A host goes in, or the value of a query parameter such as utm_source; a name as people know it comes out, and the host or the
// value itself where none is known:
//
//	NameOfHost("news.google.com")   "Google News"
//	NameOfHost("google.co.uk")      "Google"
//	NameOfTag("fb")                 "Facebook"
//	NameOfTag("Spring letter")      "Spring letter"
//
// Both are pure and work on what package spelling returns; callers are the engine, for what is stored, and a query, for what
// is asked for.
package referrer

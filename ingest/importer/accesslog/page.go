package accesslog

import (
	"net/url"
	"strings"

	"millrace/ingest/importer/lines"
)

// Reasons a line is skipped for.
const (
	SkipEmpty  = lines.SkipEmpty // nothing in it
	SkipMethod = "method"        // not GET
	SkipStatus = "status"        // neither 304 nor a 2xx that brings a whole page
	SkipAsset  = "asset"         // what a browser or a crawler fetches beside pages: see isAsset
)

// skip returns the reason why the line is no pageview, "" if it is one.
func (l *line) skip() string {
	switch {
	case l.method != "GET":
		return SkipMethod
	case !isWhole(l.status):
		return SkipStatus
	case isAsset(l.target):
		return SkipAsset
	}
	return ""
}

// isWhole reports whether a status brings a page to look at, or says that the one of before is still right. Nothing is shown
// after 204 and 205, and 206 is a piece of a file: a film comes in hundreds.
func isWhole(status int) bool {
	switch status {
	case 204, 205, 206:
		return false
	case 304:
		return true
	}
	return status/100 == 2
}

// isAsset reports whether a request target is no page of its own: by the ending of its name, by one of the names that browsers,
// crawlers and a page's own scripts ask for, or as a part of a framework's folder. Documents and downloads, such as .pdf, .txt and
// .zip, are somebody's choice and count.
func isAsset(target string) bool {
	target, _, _ = strings.Cut(target, "#")
	path, query, _ := strings.Cut(target, "?")
	if isAssetFolder(strings.TrimLeft(path, "/")) || isInterface(strings.TrimLeft(path, "/")) || isPart(query) || strings.HasSuffix(path, "/feed/") { // WordPress' feeds
		return true
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	if i := strings.IndexAny(name, ";?"); i >= 0 { // parameters of the path, x.css;v=1, and a query that was escaped
		name = name[:i]
	}
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case "robots.txt", "ads.txt", "app-ads.txt", "humans.txt", "security.txt", "llms.txt", "favicon", "apple-touch-icon",
		"healthz", "livez", "readyz", // what only probes have names for
		"admin-ajax.php", "wp-cron.php", "load-styles.php", "load-scripts.php", "matomo.php", "piwik.php":
		return true
	}
	if i := strings.IndexAny(name, "&!:"); i >= 0 { // a query without its question mark, or which size of an image is meant
		if cut := name[:i]; isAssetEnding(cutEnding(&cut)) {
			return true
		}
	}
	ending := cutEnding(&name)
	switch ending {
	case "gz", "gzip", "br", "zst":
		ending = cutEnding(&name) // of what is packed; a .gz of anything else is a download
	}
	return isAssetEnding(ending)
}

// cutEnding cuts the part behind the last dot off a name and returns it. A name without a dot has none: /map is a page.
func cutEnding(name *string) string {
	i := strings.LastIndexByte(*name, '.')
	if i < 0 {
		return ""
	}
	ending := (*name)[i+1:]
	*name = (*name)[:i]
	return ending
}

// isAssetFolder reports whether a path is in a folder that a standard or a framework has for what is no page: files and resized
// images of Next.js and Vercel, the REST interface and the scripts of WordPress, Cloudflare's own, and connections of Socket.IO.
func isAssetFolder(path string) bool {
	for _, folder := range [...]string{".well-known/", "_next/", "_vercel/", "wp-json/", "wp-includes/", "cdn-cgi/", "socket.io/"} {
		if strings.HasPrefix(path, folder) {
			return true
		}
	}
	return false
}

// isInterface reports whether a path is one of an interface of programs, which a page's own script calls: /api/v1/…. Without
// a version /api/ is where as many sites have their documentation, and so is a name that ends in .html.
//
// What people may have chosen stays a page although programs fetch it too, since a log has no types: /feed is the first page of some
// sites (WordPress' own is /feed/, and its /feed a redirect), /health and /status are pages of others. Who reads feeds by a program,
// and what probes, is known by the user agent, and counts as a bot.
func isInterface(path string) bool {
	rest, ok := strings.CutPrefix(path, "api/v")
	if !ok || rest == "" || rest[0] < '0' || rest[0] > '9' {
		return false
	}
	version, name, below := strings.Cut(rest, "/")
	if strings.Trim(version, "0123456789.") != "" || !below || name == "" {
		return false
	}
	ending := cutEnding(&name)
	return ending != "html" && ending != "htm"
}

// isPart reports whether a query asks for what a script shows in a page, or for a feed: Next.js' for the contents of a page, which it
// fetches for every link that can be seen, and WordPress' REST interface and feeds. Next.js fetches contents too when a link is
// followed that it had not fetched yet; a log does not tell these apart.
func isPart(query string) bool {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		switch name, value, _ := strings.Cut(pair, "="); name {
		case "_rsc", "rest_route":
			return true
		case "feed":
			switch value {
			case "rss", "rss2", "atom", "rdf", "comments-rss2":
				return true
			}
		}
	}
	return false
}

// isAssetEnding reports whether an ending is that of a file that is fetched beside a page.
func isAssetEnding(ending string) bool {
	switch ending {
	case "css", "js", "mjs", "cjs", "jsx", "tsx", "map", "wasm", "less", "scss", "htc", "axd",
		"json", "jsonld", "jsonp", "geojson", "topojson", "webmanifest", "manifest", "appcache", "rsc",
		"xml", "xsl", "xslt", "xsd", "rss", "atom", "rdf",
		"png", "apng", "jpg", "jpeg", "jpe", "jfif", "jp2", "jxr", "gif", "ico", "cur", "svg", "svgz", "webp", "avif", "bmp", "tif",
		"tiff", "heic", "heif", "jxl",
		"woff", "woff2", "ttf", "ttc", "eot", "otf",
		"pbf", "mvt", "glb", "gltf", "drc", "ktx", "ktx2", "basis", "hdr", "data", "unityweb",
		"mp4", "m4v", "webm", "ogv", "mov", "avi", "mkv", "mpg", "mpeg", "wmv", "flv", "f4v", "3gp", "swf", "m3u", "m3u8", "mpd", "m4s", "ts",
		"mp3", "m4a", "aac", "ogg", "oga", "opus", "wav", "flac", "wma", "aif", "aiff", "mid", "midi", "weba", "vtt", "srt":
		return true
	}
	return false
}

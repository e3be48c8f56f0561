package query

import "strings"

// otherNames are the names that other products have for what is called otherwise here, in lower case by dimension, so that
// a filter that was written for them finds it. Plausible and Matomo take systems and browsers from device-detector
// (6.5.1), Google Analytics 4 has its own (Macintosh, Samsung Internet); countries are ISO 3166-1's short names and those that
// are in use beside them, where CLDR, which names them here, has another. What is counted more finely there (each
// distribution of Linux) or here is no other name.
var otherNames = map[string]map[string]string{
	"visit:os": {
		"mac": "macOS", "macintosh": "macOS", "mac os": "macOS", "mac os x": "macOS", "os x": "macOS",
		"gnu/linux":     "Linux",
		"chrome os":     "ChromeOS",
		"dragonfly":     "DragonFly BSD",
		"haiku os":      "Haiku",
		"blackberry os": "BlackBerry",
		"symbian os":    "Symbian",
		"openharmony":   "HarmonyOS",
	},
	"visit:browser": {
		"microsoft edge": "Edge",
		"mobile safari":  "Safari",
		"chrome mobile":  "Chrome", "chrome mobile ios": "Chrome",
		"firefox mobile": "Firefox", "firefox mobile ios": "Firefox",
		"opera mobile":               "Opera",
		"samsung internet":           "Samsung Browser",
		"chrome webview":             "Android WebView",
		"miui browser":               "Mi Browser",
		"mobile silk":                "Amazon Silk",
		"avast secure browser":       "Avast Browser",
		"whale browser":              "Whale",
		"heytapbrowser":              "HeyTap Browser",
		"duckduckgo privacy browser": "DuckDuckGo",
		"google search app":          "Google App",
	},
	"visit:country_name": {
		"united states of america": "United States", "usa": "United States",
		"united kingdom of great britain and northern ireland": "United Kingdom",
		"russian federation": "Russia",
		"viet nam":           "Vietnam",
		"korea, republic of": "South Korea", "republic of korea": "South Korea",
		"korea, democratic people's republic of": "North Korea",
		"iran, islamic republic of":              "Iran",
		"syrian arab republic":                   "Syria",
		"moldova, republic of":                   "Moldova",
		"lao people's democratic republic":       "Laos",
		"tanzania, united republic of":           "Tanzania",
		"bolivia, plurinational state of":        "Bolivia",
		"venezuela, bolivarian republic of":      "Venezuela",
		"brunei darussalam":                      "Brunei",
		"taiwan, province of china":              "Taiwan",
		"türkiye":                                "Turkey",
		"czech republic":                         "Czechia",
		"north macedonia":                        "Macedonia",
		"eswatini":                               "Swaziland",
		"hong kong":                              "Hong Kong SAR China",
		"macao":                                  "Macau SAR China", "macau": "Macau SAR China",
		"ivory coast": "Côte d’Ivoire", "côte d'ivoire": "Côte d’Ivoire", "cote d'ivoire": "Côte d’Ivoire",
		"myanmar": "Myanmar (Burma)", "burma": "Myanmar (Burma)",
		"palestine": "Palestinian Territories", "palestine, state of": "Palestinian Territories",
		"holy see":                          "Vatican City",
		"congo, democratic republic of the": "Congo - Kinshasa", "congo": "Congo - Brazzaville",
	},
}

// namesHere replaces, in place, what other products call a value of d by what it is called here.
func namesHere(d *Dimension, values []string) {
	for i, v := range values {
		if here, ok := otherNames[d.name][strings.ToLower(v)]; ok {
			values[i] = here
		}
	}
}

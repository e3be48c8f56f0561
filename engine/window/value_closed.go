package window

// closed holds the values of the dimensions that have only a few, as package engine gives them.
var closed = map[Dim][]string{
	Device: {"Desktop", "Mobile", "Tablet", "TV"},
	Screen: {"Mobile", "Tablet", "Laptop", "Desktop"},
	Channel: {
		"Direct", "Cross-network", "Paid Search", "Paid Social", "Paid Video", "Paid Shopping", "Paid Other", "Display",
		"Organic Search", "Organic Social", "Organic Video", "Organic Shopping", "AI Assistants", "Email", "Affiliates",
		"Audio", "SMS", "Mobile Push Notifications", "Referral", "Other",
	},
	Reason: {
		"empty user agent", "malformed user agent", "link in user agent", "tool or library", "automated browser",
		"feed reader", "link preview", "search engine", "ai crawler", "scanner", "monitoring", "archiver", "research",
		"advertising", "crawler",
	},
}

// Closed returns all values that a dimension can have besides None and Other, or nil if they are
// not a closed set. The caller must not change the list.
func Closed(d Dim) []string { return closed[d] }

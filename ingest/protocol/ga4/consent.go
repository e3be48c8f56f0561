package ga4

import "strings"

// denied reports whether the visitor has refused that analytics recognise him, by the parameters of
// Google's consent mode. Gcs is "G1" and a digit each for advertising and analytics, 1 for granted.
// Gcd begins with a digit, and then has a digit and a letter for each of advertising, analytics and
// so on; p, q, m and u are the letters of what is denied, by default, by the visitor, or both. It is
// looked at where there is no gcs. What is about advertising alone (npa, the other letters) is no
// objection to being counted.
func denied(gcs, gcd string) bool {
	if len(gcs) == len("G111") && strings.HasPrefix(gcs, "G1") {
		return gcs[3] == '0'
	}
	const analytics = 4
	return gcs == "" && len(gcd) > analytics && strings.IndexByte("pqmu", gcd[analytics]) >= 0
}

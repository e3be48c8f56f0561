package device

import (
	"strings"
	"testing"
)

func TestWithout(t *testing.T) {
	f := func(ua, want string) {
		t.Helper()
		if got := Without(ua); got != want {
			t.Errorf("%s\n got %s\nwant %s", ua, got, want)
		}
	}
	f("", "")
	f("curl/8.5.0", "curl/8.5.0")
	f("A/5.0 (Linux; Android 13; Cubot P80) B/1", "A/5.0 () B/1")
	f("A/5.0 (Linux; Android 6.0.1; Moto G (4) Build/MPJ24) B/1 (C)", "A/5.0 () B/1 (C)")
	f("A/5.0 (Android 14; Mobile; Cubot; rv:1) G/1", "A/5.0 () G/1")
	f("A/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) B/1", "A/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) B/1")
	f("A/5.0 (Linux; Android 13; X) B/1 Instagram 2 Android (31/12; HTC; htc_botdugls) Z", "A/5.0 () B/1 Instagram 2 Android () Z")
	f("A/5.0 (Linux; Android 13; X) B/1 [FBAN/A;FBDV/Cubot;FBMF/CUBOT;] Z", "A/5.0 () B/1 [] Z")
	f("A (Web0S) HbbTV/1.5.1 (+DRM;BOTECH;) FVC/5.0 (BOTECH;TVs;)", "A (Web0S) HbbTV/1.5.1 () FVC/5.0 (BOTECH;TVs;)")
	f("A (Linux; Android 13; not closed", "A (")
	// What names a program stays.
	f("A (compatible; Xbot/1.0; Android 6)", "A (compatible; Xbot/1.0; Android 6)")
	f("A (Linux; Android 8.0; Pixel 2; Storebot-Google/1.0) B", "A (Linux; Android 8.0; Pixel 2; Storebot-Google/1.0) B")
	f("A (Linux; Android 8.0; +https://x.example) B", "A (Linux; Android 8.0; +https://x.example) B")
	// Brackets without end cost one pass.
	f(strings.Repeat("(", 500), strings.Repeat("(", 500))
}

package enrich

import (
	"slices"
	"strings"
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/referrer"
)

func TestChannel(t *testing.T) {
	f := func(query, ref, want string) {
		t.Helper()
		r := rowOf(event.Event{Site: "example.com", Name: event.Pageview, UA: chrome, URL: "https://example.com/" + query, Referrer: ref})
		if got := r.Dims[window.Channel]; got != want {
			t.Errorf("query %q referrer %q: got %q, want %q", query, ref, got, want)
		}
	}
	// By referrer.
	f("", "", "Direct")
	f("?page=2", "", "Direct")
	f("", "https://example.com/a", "") // a step within the site
	f("", "https://www.google.com/", "Organic Search")
	f("", "https://www.google.de/search?q=x", "Organic Search")
	f("", "https://duckduckgo.com/", "Organic Search")
	f("", "https://l.facebook.com/", "Organic Social")
	f("", "https://news.ycombinator.com/", "Organic Social")
	f("", "android-app://com.reddit.frontpage/", "Organic Social")
	f("", "https://www.youtube.com/", "Organic Video")
	f("", "https://www.amazon.co.uk/dp/1", "Organic Shopping")
	f("", "https://chatgpt.com/", "AI Assistants")
	f("", "https://www.perplexity.ai/", "AI Assistants")
	f("", "https://gemini.google.com/", "AI Assistants")
	f("", "https://mail.google.com/", "Email")
	f("", "https://github.com/a/b", "Referral")
	f("", "https://blog.example.org/", "Referral")

	// By tags.
	f("?utm_source=google&utm_medium=cpc", "", "Paid Search")
	f("?utm_source=Google&utm_medium=CPC", "https://www.google.com/", "Paid Search")
	f("?utm_source=bing&utm_medium=ppc", "", "Paid Search")
	f("?utm_source=facebook&utm_medium=paid_social", "", "Paid Social")
	f("?utm_source=ig&utm_medium=retargeting", "", "Paid Social")
	f("?utm_source=youtube.com&utm_medium=cpv", "", "Paid Video")
	f("?utm_source=youtube.com&utm_medium=cpm", "", "Paid Video")
	f("?utm_source=amazon&utm_medium=cpc", "", "Paid Shopping")
	f("?utm_source=partner&utm_medium=cpc&utm_campaign=eshop-2026", "", "Paid Shopping")
	f("?utm_source=partner&utm_medium=cpc&utm_campaign=workshop", "", "Paid Other")
	f("?utm_source=partner&utm_medium=cpm", "", "Display")
	f("?utm_source=partner&utm_medium=banner", "", "Display")
	f("?utm_source=google&utm_medium=display", "", "Display")
	f("?utm_source=google&utm_medium=cpc&utm_campaign=X-Cross-Network-1", "", "Cross-network")
	f("?utm_source=partner&utm_medium=link&utm_campaign=shopping_week", "", "Organic Shopping")
	f("?utm_source=agency&utm_medium=social+media", "", "Organic Social")
	f("?utm_source=agency&utm_medium=video_post", "", "Organic Video")
	f("?utm_source=engine&utm_medium=organic", "", "Organic Search")
	f("?utm_source=google", "", "Organic Search")
	f("?utm_source=chatgpt.com", "", "AI Assistants")
	f("?utm_source=spring&utm_medium=email", "", "Email")
	f("?utm_source=newsletter", "", "Email")
	f("?utm_medium=e-mail", "https://www.google.com/", "Organic Search") // GA4's order: the source is a search site
	f("?utm_medium=e-mail", "", "Email")
	f("?utm_source=partner&utm_medium=affiliate", "", "Affiliates")
	f("?utm_source=podcast&utm_medium=audio", "", "Audio")
	f("?utm_source=SMS", "", "SMS")
	f("?utm_source=app&utm_medium=web_push", "", "Mobile Push Notifications")
	f("?utm_source=partner&utm_medium=referral", "", "Referral")
	f("?utm_source=partner", "", "Referral")
	f("?ref=partner", "", "Referral")
	f("?ref=producthunt", "", "Organic Social")
	f("?source=spring", "https://example.com/", "Referral")
	f("?utm_source=partner&utm_medium=flyer", "", "Other")
	f("?utm_medium=flyer", "", "Other")
	f("?utm_campaign=spring", "", "Other")
	f("?utm_campaign=spring", "https://www.google.com/", "Organic Search")
	f("?utm_source=(direct)&utm_medium=(none)", "", "Direct")
	f("?utm_source=google&utm_medium=(not%20set)", "", "Organic Search")
	f("?utm_content=x", "", "Direct")
	f("?utm_source=%20&utm_medium=+", "", "Direct")

	// By click ids.
	f("?gclid=x", "https://www.google.com/", "Paid Search")
	f("?gclid=x", "", "Paid Search")
	f("?gclid=x", "https://www.youtube.com/", "Paid Video")
	f("?gclid=x", "https://blog.example.org/", "Paid Other")
	f("?msclkid=x", "https://www.bing.com/", "Paid Search")
	f("?dclid=x", "https://blog.example.org/", "Display")
	f("?gclid=", "https://www.google.com/", "Organic Search")
	f("?gclid=x&utm_source=spring&utm_medium=email", "", "Email") // what is named counts
	f("?fbclid=x", "https://l.facebook.com/", "Organic Social")   // is on every link
}

func TestShopCampaign(t *testing.T) {
	f := func(campaign string, want bool) {
		t.Helper()
		if got := isShopCampaign(campaign); got != want {
			t.Errorf("%q: %v, want %v", campaign, got, want)
		}
	}
	f("", false)
	f("shop", true)
	f("eshop", true)
	f("my-shop", true)
	f("workshop", false)
	f("workshop shop", true)
	f("workshopping", true)
	f("bishop", false)
	f("sho", false)
}

// TestSourceKinds: each kind is that of a site that can be found.
func TestSourceKinds(t *testing.T) {
	for name := range sourceKinds {
		if got := referrer.NameOfTag(strings.ToLower(name)); got != name {
			t.Errorf("no host is %q: in lower case it is %q", name, got)
		}
	}
}

func TestTags(t *testing.T) {
	f := func(query string, want ...string) {
		t.Helper()
		r := rowOf(event.Event{Site: "example.com", Name: event.Pageview, UA: chrome, URL: "https://example.com/?" + query})
		if got := r.Dims[window.UTMSource : window.UTMTerm+1]; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	f("a=b", "", "", "", "", "")
	f("utm_source=FB&utm_medium=Paid+Social&utm_campaign=%C3%A4%2F1&utm_content=a%00b&utm_term=%zz", "FB", "Paid Social", "ä/1", "a b", "%zz")
	f("utm_source=&utm_medium=%20&utm_campaign", "", "", "", "", "")
	f("utm_medium=first&utm_medium=second&UTM_SOURCE=x", "", "first", "", "", "")
	f("utm_medium=&utm_medium=second", "", "second", "", "", "")
	f("source=a&ref=b", "", "", "", "", "")
	f("utm_source=%FF\\", "\uFFFD/", "", "", "", "")
}

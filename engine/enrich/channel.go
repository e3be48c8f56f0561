package enrich

import (
	"strings"

	"millrace/engine/window"
)

// The channels. They are values of window.Channel, seen by users and kept in stores: a change of one is a change
// of Version.
const (
	chDirect          = "Direct"
	chCrossNetwork    = "Cross-network"
	chPaidSearch      = "Paid Search"
	chPaidSocial      = "Paid Social"
	chPaidVideo       = "Paid Video"
	chPaidShopping    = "Paid Shopping"
	chPaidOther       = "Paid Other"
	chDisplay         = "Display"
	chOrganicSearch   = "Organic Search"
	chOrganicSocial   = "Organic Social"
	chOrganicVideo    = "Organic Video"
	chOrganicShopping = "Organic Shopping"
	chAI              = "AI Assistants"
	chEmail           = "Email"
	chAffiliates      = "Affiliates"
	chAudio           = "Audio"
	chSMS             = "SMS"
	chPush            = "Mobile Push Notifications"
	chReferral        = "Referral"
	chOther           = "Other"
)

// kind is what sort of site a source is.
type kind uint8

const (
	unknownKind kind = iota
	search
	social
	video
	shopping
	assistant
	mail
)

// channelOfSource is channel for an address that says nothing: the source alone decides.
func channelOfSource(from source) string {
	switch from.kind {
	case search:
		return chOrganicSearch
	case social:
		return chOrganicSocial
	case video:
		return chOrganicVideo
	case shopping:
		return chOrganicShopping
	case assistant:
		return chAI
	case mail:
		return chEmail
	}
	switch from.name {
	case "":
		return "" // a step within the site
	case window.None:
		return chDirect
	}
	return chReferral
}

// channel returns the channel by the rules of Google Analytics 4's default channel group, in their order
// (support.google.com/analytics/answer/9756891, "Channels for manual traffic"), with these changes:
//
//   - The lists of sites are sourceKinds, written here.
//   - AI Assistants, which they lack, are a channel like Organic Search.
//   - A click id of an advertiser counts as a paid medium where none is named: elsewhere Google's accounts
//     know that. Without a source it is a search engine's.
//   - Gmail and its like are Email; a "newsletter" is Email too.
//   - A source without a medium is a Referral: somebody has sent the visitor. A medium that no rule knows is
//     Other ("Unassigned" there).
//
// All but from are in lower case; tag is the parameter that named the source, "" if none did.
func channel(from source, tag, medium, campaign string, click click) string {
	if medium == "(none)" || medium == "(not set)" {
		medium = ""
	}
	if strings.Contains(campaign, "cross-network") {
		return chCrossNetwork
	}
	shop := from.kind == shopping || isShopCampaign(campaign)
	if isPaid(medium) || medium == "" && click == adClick {
		return paidChannel(from, shop, medium)
	}
	switch {
	case isDisplay(medium), medium == "" && click == displayClick:
		return chDisplay
	case shop:
		return chOrganicShopping
	case from.kind == social, isSocial(medium):
		return chOrganicSocial
	case from.kind == video, strings.Contains(medium, "video"):
		return chOrganicVideo
	case from.kind == assistant:
		return chAI
	case from.kind == search, medium == "organic":
		return chOrganicSearch
	case from.kind == mail, isMail(tag), isMail(medium):
		return chEmail
	case medium == "affiliate", medium == "affiliates":
		return chAffiliates
	case medium == "referral", medium == "app", medium == "link":
		return chReferral
	case medium == "audio":
		return chAudio
	case tag == "sms", medium == "sms":
		return chSMS
	case isPush(medium), tag == "firebase":
		return chPush
	case medium != "":
		return chOther
	case tag == "direct", tag == "(direct)":
		return chDirect
	case campaign != "" && (from.name == "" || from.name == window.None):
		return chOther // of a campaign that does not say where
	}
	return channelOfSource(from)
}

func paidChannel(from source, shop bool, medium string) string {
	switch {
	case shop:
		return chPaidShopping
	case from.kind == search:
		return chPaidSearch
	case from.kind == social:
		return chPaidSocial
	case from.kind == video:
		return chPaidVideo
	case isDisplay(medium): // cpm
		return chDisplay
	case medium == "" && (from.name == "" || from.name == window.None):
		return chPaidSearch
	}
	return chPaidOther
}

// isPaid is ^(.*cp.*|ppc|retargeting|paid.*)$.
func isPaid(medium string) bool {
	return strings.Contains(medium, "cp") || medium == "ppc" || medium == "retargeting" || strings.HasPrefix(medium, "paid")
}

func isDisplay(medium string) bool {
	switch medium {
	case "display", "banner", "expandable", "interstitial", "cpm":
		return true
	}
	return false
}

func isSocial(medium string) bool {
	switch medium {
	case "social", "social-network", "social-media", "sm", "social network", "social media":
		return true
	}
	return false
}

func isMail(s string) bool {
	switch s {
	case "email", "e-mail", "e_mail", "e mail", "newsletter":
		return true
	}
	return false
}

func isPush(medium string) bool {
	return strings.HasSuffix(medium, "push") || strings.Contains(medium, "mobile") || strings.Contains(medium, "notification")
}

// isShopCampaign is ^(.*(([^a-df-z]|^)shop|shopping).*)$: "summer-shop" and "eshop", but not "workshop".
func isShopCampaign(campaign string) bool {
	for s := campaign; ; {
		i := strings.Index(s, "shop")
		if i < 0 {
			return false
		}
		at := len(campaign) - len(s) + i
		if at == 0 || strings.HasPrefix(s[i:], "shopping") {
			return true
		}
		if c := campaign[at-1]; c == 'e' || c < 'a' || c > 'z' {
			return true
		}
		s = s[i+len("shop"):]
	}
}

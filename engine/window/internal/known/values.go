package known

import "strings"

func words(s string) []string { return strings.Fields(s) }

func lines(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == '\n' })
}

// first are those of one byte.
var first = append(append(append(words("(none) pageview / Desktop Mobile Tablet TV Laptop Direct Referral Email Other Display Affiliates"),
	lines("Organic Search\nOrganic Social\nOrganic Video\nPaid Search\nPaid Social\nAI Assistants")...),
	lines("Chrome\nSafari\nEdge\nFirefox\nSamsung Browser\nOpera\nAndroid WebView\niOS WebView\nInternet Explorer\nWindows\nAndroid\niOS\nmacOS\nLinux\nChromeOS")...),
	words("US IN DE BR GB FR JP CN RU IT ES CA MX ID NL PL TR AU KR SE UA AR CH BE AT VN "+
		"en-US en-GB de-DE fr-FR es-ES pt-BR ja-JP zh-CN ru-RU it-IT nl-NL pl-PL en de fr es "+
		"Google Bing Facebook Instagram Twitter LinkedIn Reddit YouTube DuckDuckGo ChatGPT GitHub "+
		"google.com bing.com duckduckgo.com l.facebook.com t.co reddit.com newsletter email")...)

// countries are the codes of ISO 3166-1.
var countries = words(`
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD
CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF
GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI
SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
VN VU WF WS XK YE YT ZA ZM ZW`)

// languages are those that browsers are set to most.
var languages = words(`
en-CA en-AU en-IN en-NZ en-IE en-ZA en-SG en-PH en-HK de-AT de-CH fr-CA fr-BE fr-CH es-MX es-AR es-CO es-CL es-PE es-US es-419
pt-PT pt it ja ko ko-KR zh zh-TW zh-HK zh-SG ru uk uk-UA pl nl nl-BE tr tr-TR sv sv-SE da da-DK nb nb-NO no fi fi-FI cs cs-CZ
sk sk-SK hu hu-HU ro ro-RO bg bg-BG el el-GR hr hr-HR sr sr-RS sl sl-SI lt lt-LT lv lv-LV et et-EE is is-IS ar ar-SA ar-EG
ar-AE he he-IL fa fa-IR hi hi-IN bn bn-BD bn-IN ta ta-IN te te-IN mr mr-IN gu gu-IN th th-TH vi vi-VN id id-ID ms ms-MY fil
fil-PH ca ca-ES eu gl ka hy az kk uz mn ne si km my sw af`)

// agents are browsers, systems and their versions beside whole numbers.
var agents = append(lines(`
Chromium
Brave
Vivaldi
Opera Mini
Yandex Browser
Huawei Browser
Mi Browser
HeyTap Browser
Vivo Browser
UC Browser
QQ Browser
Sogou Explorer
Whale
Ecosia
Coc Coc
Avast Browser
Amazon Silk
Android Browser
macOS WebView
Google App
WeChat
KakaoTalk
LINE
GNOME Web
Windows Phone
HarmonyOS
KaiOS
Tizen
webOS
tvOS
PlayStation
Xbox
FreeBSD
`), words(`10.15 10.14 10.13 10.12 10.11 8.1 XP Vista`)...)

// sources are sites and channels.
var sources = lines(`
Yahoo
Yandex
Baidu
Ecosia
Qwant
Startpage
Brave Search
Naver
Seznam
Perplexity
Gemini
Claude
Copilot
DeepSeek
Threads
Pinterest
TikTok
Snapchat
Vimeo
Twitch
Bluesky
Mastodon
VK
Quora
Medium
Substack
Amazon
Gmail
Outlook
Yahoo Mail
Telegram
WhatsApp
Slack
Discord
Microsoft Teams
Hacker News
Product Hunt
GitLab
Stack Overflow
Wikipedia
Google News
Paid Video
Paid Shopping
Paid Other
Organic Shopping
Cross-network
Audio
SMS
Mobile Push Notifications
google
facebook
instagram
bing
linkedin
cpc
social
referral
organic
display
banner
paid
ads
push
sms
affiliate
signup
login
purchase
click
scroll
download
search
submit
404
Outbound Link: Click
File Download
Form: Submission
`)

// referrers are hosts that send many visitors, as package enrich writes them.
var referrers = words(`
google.com/ bing.com/ duckduckgo.com/ facebook.com facebook.com/ l.facebook.com/ m.facebook.com m.facebook.com/ lm.facebook.com lm.facebook.com/
instagram.com instagram.com/ l.instagram.com l.instagram.com/ linkedin.com linkedin.com/ linkedin.com/feed/ com.linkedin.android t.co/ x.com x.com/ twitter.com twitter.com/
reddit.com/ old.reddit.com out.reddit.com youtube.com youtube.com/ m.youtube.com m.youtube.com/ news.ycombinator.com news.ycombinator.com/ news.ycombinator.com/item
github.com github.com/ chatgpt.com chatgpt.com/ perplexity.ai perplexity.ai/ gemini.google.com gemini.google.com/ claude.ai claude.ai/ copilot.microsoft.com copilot.microsoft.com/
search.yahoo.com search.yahoo.com/ yandex.ru yandex.ru/ ya.ru ya.ru/ baidu.com baidu.com/ ecosia.org ecosia.org/ search.brave.com search.brave.com/ qwant.com qwant.com/
startpage.com startpage.com/ pinterest.com pinterest.com/ mail.google.com mail.google.com/ outlook.live.com outlook.live.com/ com.google.android.gm com.google.android.googlequicksearchbox
news.google.com news.google.com/ en.wikipedia.org en.wikipedia.org/ medium.com medium.com/ bsky.app bsky.app/ threads.net threads.com google.de google.de/ google.co.uk google.co.uk/
google.fr google.fr/ google.co.in google.co.in/ google.com.br google.com.br/ google.es google.es/ google.it google.it/ google.co.jp google.co.jp/ google.ca google.ca/ google.nl google.nl/ google.pl google.pl/`)

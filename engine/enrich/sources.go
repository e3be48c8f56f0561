package enrich

// sourceKinds are the kinds of the sites that package referrer names. What is not here sends by links: Referral.
var sourceKinds = map[string]kind{
	"Google": search, "Bing": search, "Yahoo": search, "Yandex": search, "DuckDuckGo": search, "Baidu": search, "Ecosia": search,
	"Qwant": search, "Startpage": search, "Brave Search": search, "Kagi": search, "Ask": search, "AOL": search, "Sogou": search,
	"360 Search": search, "Naver": search, "Daum": search, "Seznam": search, "Mojeek": search, "Marginalia": search,
	"Presearch": search, "Swisscows": search, "MetaGer": search,

	"ChatGPT": assistant, "Perplexity": assistant, "Gemini": assistant, "Claude": assistant, "Copilot": assistant,
	"DeepSeek": assistant, "Mistral": assistant, "Grok": assistant, "Meta AI": assistant, "You.com": assistant, "Phind": assistant,
	"Poe": assistant, "Qwen": assistant, "Kimi": assistant, "Doubao": assistant, "NotebookLM": assistant,

	"Facebook": social, "Instagram": social, "Threads": social, "Twitter": social, "LinkedIn": social, "Reddit": social,
	"Pinterest": social, "TikTok": social, "Snapchat": social, "Bluesky": social, "Mastodon": social, "Tumblr": social, "VK": social,
	"Odnoklassniki": social, "Weibo": social, "Zhihu": social, "XING": social, "Quora": social, "Medium": social, "Substack": social,
	"Flipboard": social, "Pocket": social, "Digg": social, "Delicious": social, "StumbleUpon": social, "Slashdot": social,
	"Telegram": social, "WhatsApp": social, "Discord": social, "Hacker News": social, "Lobsters": social, "Product Hunt": social,
	"Indie Hackers": social, "DEV": social,

	"YouTube": video, "Vimeo": video, "Twitch": video, "Dailymotion": video, "Bilibili": video,

	"Amazon": shopping, "eBay": shopping, "AliExpress": shopping, "Shopee": shopping, "Mercado Libre": shopping, "Etsy": shopping,
	"Walmart": shopping, "Alibaba": shopping, "Taobao": shopping, "Temu": shopping, "Shop": shopping, "Google Shopping": shopping,
	"Idealo": shopping, "Allegro": shopping, "Rakuten": shopping,

	"Gmail": mail, "Yahoo Mail": mail, "Outlook": mail, "Proton Mail": mail,
}

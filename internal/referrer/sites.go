package referrer

// countryHosts are the sites that have a domain in many countries, by the label before the country's.
var countryHosts = map[string]string{
	"google": "Google", "yahoo": "Yahoo", "yandex": "Yandex", "pinterest": "Pinterest", "amazon": "Amazon", "ebay": "eBay",
	"aliexpress": "AliExpress", "shopee": "Shopee", "mercadolibre": "Mercado Libre", "mercadolivre": "Mercado Libre",
}

// hostNames are the names of well-known sites. A host has the name of the longest of its ends that is listed:
// mail.google.com is Gmail, any other host of google.com Google.
var hostNames = map[string]string{
	// Search.
	"bing.com": "Bing", "duckduckgo.com": "DuckDuckGo", "baidu.com": "Baidu", "ya.ru": "Yandex",
	"ecosia.org": "Ecosia", "qwant.com": "Qwant", "startpage.com": "Startpage", "search.brave.com": "Brave Search",
	"kagi.com": "Kagi", "ask.com": "Ask", "aol.com": "AOL", "search.aol.com": "AOL", "sogou.com": "Sogou", "so.com": "360 Search",
	"naver.com": "Naver", "daum.net": "Daum", "seznam.cz": "Seznam", "mojeek.com": "Mojeek", "search.marginalia.nu": "Marginalia",
	"presearch.com": "Presearch", "swisscows.com": "Swisscows", "metager.de": "MetaGer", "googleusercontent.com": "Google",
	"com.google.android.googlequicksearchbox": "Google",

	// Assistants.
	"chatgpt.com": "ChatGPT", "chat.openai.com": "ChatGPT", "perplexity.ai": "Perplexity", "gemini.google.com": "Gemini",
	"bard.google.com": "Gemini", "claude.ai": "Claude", "copilot.microsoft.com": "Copilot", "chat.deepseek.com": "DeepSeek",
	"chat.mistral.ai": "Mistral", "grok.com": "Grok", "meta.ai": "Meta AI", "you.com": "You.com", "phind.com": "Phind",
	"copilot.com": "Copilot", "poe.com": "Poe", "chat.qwen.ai": "Qwen", "kimi.com": "Kimi", "doubao.com": "Doubao", "notebooklm.google.com": "NotebookLM",

	// Social.
	"facebook.com": "Facebook", "fb.com": "Facebook", "fb.me": "Facebook", "messenger.com": "Facebook", "com.facebook.katana": "Facebook",
	"instagram.com": "Instagram", "com.instagram.android": "Instagram", "threads.net": "Threads", "threads.com": "Threads",
	"twitter.com": "Twitter", "t.co": "Twitter", "x.com": "Twitter", "com.twitter.android": "Twitter",
	"linkedin.com": "LinkedIn", "lnkd.in": "LinkedIn", "com.linkedin.android": "LinkedIn",
	"reddit.com": "Reddit", "redd.it": "Reddit", "com.reddit.frontpage": "Reddit",
	"pin.it": "Pinterest", "com.pinterest": "Pinterest", "tiktok.com": "TikTok", "snapchat.com": "Snapchat",
	"youtube.com": "YouTube", "youtu.be": "YouTube", "vimeo.com": "Vimeo", "twitch.tv": "Twitch",
	"bsky.app": "Bluesky", "mastodon.social": "Mastodon", "mastodon.online": "Mastodon", "tumblr.com": "Tumblr",
	"vk.com": "VK", "ok.ru": "Odnoklassniki", "weibo.com": "Weibo", "weibo.cn": "Weibo", "zhihu.com": "Zhihu", "xing.com": "XING",
	"quora.com": "Quora", "medium.com": "Medium", "substack.com": "Substack", "flipboard.com": "Flipboard", "getpocket.com": "Pocket",
	"digg.com": "Digg", "delicious.com": "Delicious", "stumbleupon.com": "StumbleUpon", "slashdot.org": "Slashdot",

	"dailymotion.com": "Dailymotion", "bilibili.com": "Bilibili", "com.google.android.youtube": "YouTube", "com.zhiliaoapp.musically": "TikTok",

	// Shops.
	"amzn.to": "Amazon", "etsy.com": "Etsy", "walmart.com": "Walmart", "alibaba.com": "Alibaba", "taobao.com": "Taobao", "temu.com": "Temu",
	"shop.app": "Shop", "shopping.google.com": "Google Shopping", "idealo.de": "Idealo", "allegro.pl": "Allegro", "rakuten.co.jp": "Rakuten",

	// Messages.
	"mail.google.com": "Gmail", "com.google.android.gm": "Gmail", "mail.yahoo.com": "Yahoo Mail", "outlook.live.com": "Outlook",
	"outlook.office.com": "Outlook", "outlook.office365.com": "Outlook", "mail.proton.me": "Proton Mail",
	"telegram.org": "Telegram", "t.me": "Telegram", "org.telegram.messenger": "Telegram", "whatsapp.com": "WhatsApp", "wa.me": "WhatsApp",
	"slack.com": "Slack", "com.slack": "Slack", "discord.com": "Discord", "discordapp.com": "Discord", "teams.microsoft.com": "Microsoft Teams",

	// Builders, readers, knowledge.
	"news.ycombinator.com": "Hacker News", "hckrnews.com": "Hacker News", "lobste.rs": "Lobsters", "producthunt.com": "Product Hunt", "indiehackers.com": "Indie Hackers",
	"github.com": "GitHub", "gitlab.com": "GitLab", "stackoverflow.com": "Stack Overflow", "stackexchange.com": "Stack Exchange",
	"serverfault.com": "Server Fault", "superuser.com": "Super User", "dev.to": "DEV", "notion.so": "Notion",
	"wikipedia.org": "Wikipedia", "feedly.com": "Feedly", "news.google.com": "Google News",
}

// tagAliases are what people write into utm_source for a site, besides its name and its hosts; in lower case.
var tagAliases = map[string]string{
	"fb": "Facebook", "ig": "Instagram", "insta": "Instagram", "yt": "YouTube", "hn": "Hacker News", "hackernews": "Hacker News", "x": "Twitter",
	"adwords": "Google", "googleads": "Google", "google_ads": "Google", "producthunt": "Product Hunt", "stackoverflow": "Stack Overflow",
	"openai": "ChatGPT", "chat-gpt": "ChatGPT",
}

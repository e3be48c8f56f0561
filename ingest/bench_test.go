package ingest

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fasthttp"

	"millrace/engine/event"
)

// nowhere acknowledges every record at once, so that what is measured is the way to the client and not the broker.
type nowhere struct{}

func (nowhere) TryProduce(_ context.Context, r *kgo.Record, promise func(*kgo.Record, error)) {
	promise(r, nil)
}

// BenchmarkHandler is a request from its head to the record, without network and broker.
func BenchmarkHandler(b *testing.B) {
	f := func(name, body string, events int) {
		b.Run(name, func(b *testing.B) { benchmarkRequest(b, "POST", "/v1/events", body, events) })
	}
	f("1", pageview, 1)
	f("100", "["+strings.Repeat(pageview+",", 99)+pageview+"]", 100)
	b.Run("100 of 50 sites", func(b *testing.B) { // of a page, whose events are known if they come again
		body := manySites(100, 50)
		benchmarkRequest(b, "POST", "/v1/events", body, 100, "Origin", "https://a.example", "X-Forwarded-For", "84.112.3.4")
	})
}

// manySites is a body of so many events, of so many sites of one partition in turn.
func manySites(events, sites int) string {
	var ids []string
	for i := 0; len(ids) < sites; i++ {
		if id := fmt.Sprintf("site-%03d.example", i); event.Partition(id, 0, testPartitions) == 0 {
			ids = append(ids, id)
		}
	}
	list := make([]string, events)
	for i := range list {
		list[i] = fmt.Sprintf(`{"name":"pageview","site":"%s","url":"https://%[1]s/blog/post-%d?utm_source=news",`+
			`"referrer":"https://www.google.com/","screen":"1920x1080","props":{"author":"Ada","plan":"pro"}}`, ids[i%sites], i)
	}
	return "[" + strings.Join(list, ",") + "]"
}

// BenchmarkProtocols is BenchmarkHandler of one event by each protocol, as a page in a browser sends it.
func BenchmarkProtocols(b *testing.B) {
	eachProtocol(func(name, method, uri, body string) {
		b.Run(name, func(b *testing.B) { benchmarkRequest(b, method, uri, body, 1, "Origin", "https://a.example") })
	})
}

// A request allocates next to nothing of its own: garbage would cost more than what is done with it.
func TestAllocations(t *testing.T) {
	if raced {
		t.Skip("with the race detector pools forget at random")
	}
	// of a record, which is one event's here and up to 100 events' under load; and of a request
	const record, most = 8, 3
	c := newUnlingering(t, 1)
	eachProtocol(func(name, method, uri, body string) {
		ctx := requestOf(method, uri, body, "Origin", "https://a.example")
		n := testing.AllocsPerRun(20, func() {
			ctx.Response.Reset()
			c.Handler(ctx)
		})
		if status := ctx.Response.StatusCode(); status/100 != 2 {
			t.Errorf("%s: %d %s", name, status, ctx.Response.Body())
		}
		if n > record+most {
			t.Errorf("%s: %v allocations a request, at most %d are allowed", name, n-record, most)
		}
	})
}

// eachProtocol calls f with one event of each protocol, as a page in a browser sends it.
func eachProtocol(f func(name, method, uri, body string)) {
	f("v1", "POST", "/v1/events", pageview)
	f("plausible", "POST", "/api/event", `{"n":"pageview","v":36,"u":"https://shop.example.com/1","d":"shop.example.com","r":"https://www.google.com/","w":1280,"p":{"a":"1","b":2}}`)
	f("matomo", "POST", "/matomo.php?action_name=Shop%20page&idsite=1&rec=1&r=461082&h=11&m=40&s=24&url=https%3A%2F%2Fshop.example.com%2F1&urlref=https%3A%2F%2Fwww.google.com%2F&_id=d6dc5be9e54b0634&_idn=1&send_image=0&_refts=1795952425&_ref=https%3A%2F%2Fwww.google.com%2F&pv_id=LXzRWB&uadata=%7B%7D&cookie=1&res=1920x1080", "")
	f("ga4", "POST", "/g/collect?v=2&tid=G-AB12CD34EF&gtm=45je4&_p=1782726164778&gcs=G111&gcd=13l3l3l3l1l1&npa=0&dma=0&cid=829819991.1782726160&ul=en-gb&sr=1280x720&uaa=x86&uab=64&uap=Windows&_s=1&sid=1782726160&sct=1&seg=0&dl=https%3A%2F%2Fshop.example.com%2F1&dr=https%3A%2F%2Fwww.google.com%2F&dt=Home&en=page_view&_ss=1&_ee=1&ep.a=1&tfd=843", "")
	f("umami", "POST", "/api/send", `{"type":"event","payload":{"website":"94db1cb1-74f4-4a40-ad6c-962362670409","screen":"1920x1080","language":"en-US","title":"Shop page","hostname":"shop.example.com","url":"https://shop.example.com/1","referrer":"https://www.google.com/"}}`)
	f("ua", "POST", "/collect", "v=1&_v=j79&a=1087150236&t=pageview&_s=1&dl=https%3A%2F%2Fshop.example.com%2F1&dr=https%3A%2F%2Fwww.google.com%2F&ul=de-at&de=UTF-8&dt=Home%20page&sd=24-bit&sr=1920x1080&vp=1200x800&je=0&_u=QCCAgEAB~&jid=&gjid=&cid=1036189143.1632641083&tid=UA-1234-1&_gid=1271469547.1647872441&cd1=a&z=1648506799")
	f("snowplow", "POST", "/com.snowplowanalytics.snowplow/tp2", `{"schema":"iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4","data":[{"e":"pv","url":"https://shop.example.com/1?utm_source=news","page":"Shop page","refr":"https://www.google.com/","eid":"e0058684-7b3e-4849-a3a4-594330b28037","tv":"js-4.10.1","tna":"sp1","aid":"shop","p":"web","cookie":"1","cs":"UTF-8","lang":"en-US","res":"1920x1080","cd":"24","tz":"UTC","dtm":"1795954617777","co":"{\"schema\":\"iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0\",\"data\":[{\"schema\":\"iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0\",\"data\":{\"id\":\"851d7eb2-c750-4349-92e8-410db11592ec\"}},{\"schema\":\"iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-2\",\"data\":{\"userId\":\"9cb57b08-ad44-4997-91b7-defb1639775f\",\"sessionId\":\"970ccfa5-1736-493a-a640-89d02cb1dbea\",\"eventIndex\":1,\"sessionIndex\":1,\"previousSessionId\":null,\"storageMechanism\":\"COOKIE_1\",\"firstEventId\":\"e0058684-7b3e-4849-a3a4-594330b28037\",\"firstEventTimestamp\":\"2026-11-29T12:16:57.777Z\"}}]}","vp":"1024x768","ds":"0x0","vid":"1","sid":"970ccfa5-1736-493a-a640-89d02cb1dbea","duid":"9cb57b08-ad44-4997-91b7-defb1639775f","stm":"1795954617785"}]}`)
	f("posthog", "POST", "/e/", posthogView)
	f("mixpanel", "POST", "/track/?verbose=1&ip=1&_=1795954624454", "data=W3siZXZlbnQiOiIkbXBfd2ViX3BhZ2VfdmlldyIsInByb3BlcnRpZXMiOnsiJG9zIjoiTGludXgiLCIkYnJvd3NlciI6IkNocm9tZSIsIiRyZWZlcnJlciI6Imh0dHBzOi8vd3d3Lmdvb2dsZS5jb20vIiwiJHJlZmVycmluZ19kb21haW4iOiJ3d3cuZ29vZ2xlLmNvbSIsIiRjdXJyZW50X3VybCI6Imh0dHBzOi8vc2hvcC5leGFtcGxlLmNvbS8xP3V0bV9zb3VyY2U9bmV3cyIsIiRicm93c2VyX3ZlcnNpb24iOjE0MiwiJHNjcmVlbl9oZWlnaHQiOjAsIiRzY3JlZW5fd2lkdGgiOjAsIm1wX2xpYiI6IndlYiIsIiRsaWJfdmVyc2lvbiI6IjIuODMuMCIsIiRpbnNlcnRfaWQiOiIyY3FmY2dhbHFteHNlN3luIiwidGltZSI6MTc5NTk1NDYyMy45MzgsInV0bV9zb3VyY2UiOiJuZXdzIiwiZGlzdGluY3RfaWQiOiIkZGV2aWNlOjkzNDE1MDg0LTNkNzMtNDk2NS1hNzQxLTQ3YjM0ZDBlNjFkNiIsIiRkZXZpY2VfaWQiOiI5MzQxNTA4NC0zZDczLTQ5NjUtYTc0MS00N2IzNGQwZTYxZDYiLCIkc2VhcmNoX2VuZ2luZSI6Imdvb2dsZSIsIiRpbml0aWFsX3JlZmVycmVyIjoiaHR0cHM6Ly93d3cuZ29vZ2xlLmNvbS8iLCIkaW5pdGlhbF9yZWZlcnJpbmdfZG9tYWluIjoid3d3Lmdvb2dsZS5jb20iLCJjdXJyZW50X3BhZ2VfdGl0bGUiOiJTaG9wIHBhZ2UiLCJjdXJyZW50X2RvbWFpbiI6InNob3AuZXhhbXBsZS5jb20iLCJjdXJyZW50X3VybF9wYXRoIjoiLzEiLCJjdXJyZW50X3VybF9wcm90b2NvbCI6Imh0dHBzOiIsImN1cnJlbnRfdXJsX3NlYXJjaCI6Ij91dG1fc291cmNlPW5ld3MiLCIkbXBfYXV0b2NhcHR1cmUiOnRydWUsInRva2VuIjoiVE9LRU4iLCJtcF9zZW50X2J5X2xpYl92ZXJzaW9uIjoiMi44My4wIn19XQ%3D%3D")
	f("segment", "POST", "/v1/p", segmentView)
	f("amplitude", "POST", "/2/httpapi", `{"api_key":"KEY","events":[{"device_id":"af26e199-e019-4a94-8e08-b65cf8c99c65","session_id":1795955173207,"time":1795955173238,"platform":"Web","language":"en-US","ip":"$remote","insert_id":"6f455115-4fbf-4e18-bf89-b0f4464565c8","event_type":"[Amplitude] Page Viewed","event_properties":{"utm_source":"news","referrer":"https://www.google.com/","referring_domain":"www.google.com","[Amplitude] Page Domain":"shop.example.com","[Amplitude] Page Location":"https://shop.example.com/1?utm_source=news","[Amplitude] Page Path":"/1","[Amplitude] Page Title":"Shop page","[Amplitude] Page URL":"https://shop.example.com/1","[Amplitude] Page View ID":"6e14e29d-0f18-41c5-af50-523567e8bfa9","[Amplitude] Page Counter":1,"[Amplitude] Previous Page Location":"https://www.google.com/","[Amplitude] Previous Page Type":"external"},"event_id":2,"library":"amplitude-ts/2.48.1","user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"}],"options":{},"client_upload_time":"2026-11-29T12:26:13.528Z"}`)
	f("countly", "POST", "/i", "app_key=APPKEY&av=3.1&device_id=40b4ee44-9337-423b-9e4e-51f841e4b6d2&dow=0&events=%5B%7B%22key%22%3A%22%5BCLY%5D_view%22%2C%22count%22%3A1%2C%22segmentation%22%3A%7B%22name%22%3A%22%2Fcountly%22%2C%22visit%22%3A1%2C%22view%22%3A%22%2Fcountly%22%2C%22domain%22%3A%22shop.example.com%22%2C%22start%22%3A1%2C%22utm_source%22%3A%22news%22%2C%22utm_medium%22%3A%22mail%22%7D%2C%22timestamp%22%3A1795965020665%2C%22hour%22%3A15%2C%22dow%22%3A0%2C%22id%22%3A%2293cb9b931795965020664%22%2C%22pvid%22%3A%22%22%7D%5D&hour=15&metrics=%7B%22_ua%22%3A%22Mozilla%2F5.0%20(X11%3B%20Linux%20x86_64)%20AppleWebKit%2F537.36%20(KHTML%2C%20like%20Gecko)%20Chrome%2F142.0.0.0%20Safari%2F537.36%22%7D&rr=3&sdk_name=javascript_native_web&sdk_version=26.1.1&t=1&timestamp=1795965020668&tz=0")
	f("openpanel", "POST", "/track", `{"type":"track","payload":{"name":"screen_view","properties":{"__referrer":"https://www.google.com/","__path":"https://shop.example.com/op?utm_source=news","__title":"Shop page"}}}`)
	f("jitsu", "POST", "/api/s/page", jitsuView)
	f("pirsch", "GET", "/hit?nc=1795964555952&code=CODE&url=https:%2F%2Fshop.example.com%2F1%3Futm_source%3Dnews&t=Shop+page&ref=https:%2F%2Fwww.google.com%2F&w=800&h=600&tag_author=John", "")
	f("swetrix", "POST", "/log/", `{"lc":"de-AT","tz":"UTC","ref":"https://www.google.com/","so":"news","qs":"utm_source=news","pg":"/1","pid":"aUn1quEid-3","perf":{"dns":0,"tls":0,"conn":0,"response":1,"render":1.7,"dom_load":410,"page_load":572.1,"ttfb":62.1},"unique":false}`)
	f("aptabase", "POST", "/api/v0/event", `{"timestamp":"2026-11-29T15:02:44.202Z","sessionId":"179596456427112430","eventName":"Purchase","systemProps":{"locale":"de-AT","isDebug":false,"appVersion":"1.2.3","sdkVersion":"aptabase-web@0.5.0"},"props":{"plan":"pro","revenue":"12.5","currency":"EUR"}}`)
	f("goatcounter", "POST", "/count?p=%2F1%3Futm_source%3Dnews&t=Shop%20page&r=https%3A%2F%2Fwww.google.com%2F&s=800&b=0&q=%3Futm_source%3Dnews&rnd=55ezc", "")
	f("sensors", "GET", "/sa.gif?project=1&data=eyJpZGVudGl0aWVzIjp7IiRpZGVudGl0eV9jb29raWVfaWQiOiIxYTIyYjAyNmE3YzU3OS0wN2JlNjZmNjNjZDI2YjQtMTE1NDNiNGMtNDgwMDAwLTFhMjJiMDI2YTdkNjdjIiwiJGlkZW50aXR5X2Fub255bW91c19pZCI6IjFhMjJiMDI2YTdjNTc5LTA3YmU2NmY2M2NkMjZiNC0xMTU0M2I0Yy00ODAwMDAtMWEyMmIwMjZhN2Q2N2MifSwiZGlzdGluY3RfaWQiOiIxYTIyYjAyNmE3YzU3OS0wN2JlNjZmNjNjZDI2YjQtMTE1NDNiNGMtNDgwMDAwLTFhMjJiMDI2YTdkNjdjIiwibGliIjp7IiRsaWIiOiJqcyIsIiRsaWJfbWV0aG9kIjoiY29kZSIsIiRsaWJfdmVyc2lvbiI6IjEuMjcuMTEifSwicHJvcGVydGllcyI6eyIkdGltZXpvbmVfb2Zmc2V0IjowLCIkc2NyZWVuX2hlaWdodCI6NjAwLCIkc2NyZWVuX3dpZHRoIjo4MDAsIiR2aWV3cG9ydF9oZWlnaHQiOjYwMCwiJHZpZXdwb3J0X3dpZHRoIjo4MDAsIiRsaWIiOiJqcyIsIiRsaWJfdmVyc2lvbiI6IjEuMjcuMTEiLCIkbGF0ZXN0X3RyYWZmaWNfc291cmNlX3R5cGUiOiLku5jotLnlub%2FlkYrmtYHph48iLCIkbGF0ZXN0X3NlYXJjaF9rZXl3b3JkIjoiYSBiIiwiJGxhdGVzdF9yZWZlcnJlciI6Imh0dHBzOi8vd3d3Lmdvb2dsZS5jb20vc2VhcmNoP3E9YSBiJng9w6kiLCIkbGF0ZXN0X3V0bV9zb3VyY2UiOiJuZXdzIiwiJHJlZmVycmVyIjoiaHR0cHM6Ly93d3cuZ29vZ2xlLmNvbS9zZWFyY2g%2FcT1hIGImeD3DqSIsIiR1cmwiOiJodHRwczovL3Nob3AuZXhhbXBsZS9wP3V0bV9zb3VyY2U9bmV3cyIsIiR1cmxfcGF0aCI6Ii9wIiwiJHRpdGxlIjoiU2hvcCBwYWdlIiwiJHV0bV9zb3VyY2UiOiJuZXdzIiwiJGlzX2ZpcnN0X2RheSI6dHJ1ZSwiJGlzX2ZpcnN0X3RpbWUiOnRydWUsIiRyZWZlcnJlcl9ob3N0Ijoid3d3Lmdvb2dsZS5jb20ifSwiYW5vbnltb3VzX2lkIjoiMWEyMmIwMjZhN2M1NzktMDdiZTY2ZjYzY2QyNmI0LTExNTQzYjRjLTQ4MDAwMC0xYTIyYjAyNmE3ZDY3YyIsInR5cGUiOiJ0cmFjayIsImV2ZW50IjoiJHBhZ2V2aWV3IiwidGltZSI6MTc5NjAxNzkwODM4NSwiX3RyYWNrX2lkIjo3NTQyNTgzODksIl9mbHVzaF90aW1lIjoxNzk2MDE3OTA4Mzg5fQ%3D%3D&ext=crc%3D844851845", "")
	f("pixel", "GET", "/v1/pixel.gif?site=a.example&url=https%3A%2F%2Fa.example%2F1&p.k=v&_=123", "")
}

// posthogView is a view as posthog-js 1.449.2 sends it, unpacked.
const posthogView = `{"api_key":"phc_abc","batch":[{"uuid":"01a2273b-52bb-74a8-8b8f-15ec622c66af","event":"$pageview","properties":{"$os":"Linux","$browser":"Chrome","$device_type":"Desktop","$timezone":"UTC","$timezone_offset":0,"$current_url":"https://shop.example.com/1","$host":"shop.example.com","$pathname":"/p","$raw_user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36","$browser_version":142,"$browser_language":"en-US","$browser_language_prefix":"en","$screen_height":0,"$screen_width":0,"$viewport_height":768,"$viewport_width":1024,"$lib":"web","$lib_version":"1.449.2","$insert_id":"r06o6jdqee5vok68","$time":1795954529,"$sdk_dist_channel":"cdn","$initialization_time":"2026-11-29T12:15:28.930Z","$configured_session_timeout_ms":1800000,"distinct_id":"01a2273b-52a7-7f39-9cbb-0d6df800edbc","$device_id":"01a2273b-52a7-7f39-9cbb-0d6df800edbc","$sdk_debug_extensions_init_method":"synchronous","$sdk_debug_extensions_init_time_ms":2,"$search_engine":"google","li_fat_id":null,"utm_source":"news","utm_medium":null,"utm_campaign":null,"utm_content":null,"utm_term":null,"gad_source":null,"mc_cid":null,"gclid":null,"gclsrc":null,"dclid":null,"gbraid":null,"wbraid":null,"fbclid":null,"msclkid":null,"twclid":null,"igshid":null,"ttclid":null,"rdt_cid":null,"epik":null,"qclid":null,"sccid":null,"oppref":null,"bfcid":null,"irclid":null,"_kx":null,"$referrer":"https://www.google.com/","$referring_domain":"www.google.com","title":"Shop page","token":"phc_abc","$config_defaults":"unset","$session_id":"01a2273b-52e8-7518-83bf-8df0ac2155d8","$window_id":"01a2273b-52e8-7518-83bf-8df110295996","$session_entry_referrer":"https://www.google.com/","$session_entry_referring_domain":"www.google.com","$session_entry_url":"https://shop.example.com/1","$session_entry_host":"shop.example.com","$session_entry_pathname":"/p","$session_entry_utm_source":"news","$session_entry_search_engine":"google","$recording_status":"disabled","$sdk_debug_retry_queue_size":0,"$lib_custom_api_host":"http://127.0.0.1:9203","$pageview_id":"01a2273b-52bb-74a8-8b8f-15ec622c66af","$is_identified":false,"$process_person_profile":false,"$lib_rate_limit_remaining_tokens":99},"timestamp":"2026-11-29T12:15:28.955Z"}],"sent_at":"2026-11-29T12:15:29.017Z"}`

// segmentView is a view as @segment/analytics-next 1.84.3 sends it.
const segmentView = `{"timestamp":"2026-11-29T12:16:49.503Z","integrations":{"Segment.io":true},"type":"page","properties":{"path":"/p","referrer":"https://www.google.com/","search":"?utm_source=news&utm_campaign=c","title":"Shop page","url":"https://shop.example.com/1","a":1,"category":"Docs","name":"Intro"},"category":"Docs","name":"Intro","context":{"page":{"path":"/p","referrer":"https://www.google.com/","search":"?utm_source=news&utm_campaign=c","title":"Shop page","url":"https://shop.example.com/1"},"userAgent":"Mozilla/5.0 (linux) AppleWebKit/537.36 (KHTML, like Gecko) jsdom/24.1.3","locale":"en-US","library":{"name":"analytics.js","version":"npm:next-1.84.3"},"campaign":{"source":"news","name":"c"},"timezone":"UTC"},"messageId":"ajs-next-1795954609503-8a0a4fb2-55a8-4590-8847-281e097800d8","anonymousId":"0a4fb255-a835-4048-8728-1e097800d822","writeKey":"WKEY","userId":null,"sentAt":"2026-11-29T12:16:49.534Z","_metadata":{"bundled":["Segment.io"],"unbundled":[],"bundledIds":[]}}`

// jitsuView is a view as @jitsu/js 1.11.0 sends it.
const jitsuView = `{"type":"page","properties":{"title":"Shop page","url":"https://shop.example.com/jitsu?utm_source=news","path":"/jitsu","hash":"","search":"?utm_source=news","width":780,"height":437},"userId":null,"anonymousId":"7639e274-f6b7-4ae0-9968-1ec07dfecab1","timestamp":"2026-11-29T15:32:46.255Z","sentAt":"2026-11-29T15:32:46.255Z","messageId":"1trorqklmwx1d9yfuwz87j","writeKey":"KEYID:***","context":{"library":{"name":"@jitsu/js","version":"1.11.0","env":"browser"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36","locale":"en-US","screen":{"width":800,"height":600,"innerWidth":780,"innerHeight":437,"density":1},"traits":{},"page":{"path":"/jitsu","referrer":"","referring_domain":"","host":"shop.example.com","search":"?utm_source=news","title":"Shop page","url":"https://shop.example.com/jitsu?utm_source=news","encoding":"windows-1252"},"clientIds":{},"campaign":{"source":"news"}}}`

const pageview = `{"site":"shop.example.com","name":"pageview","url":"https://shop.example.com/products/blue-chair?utm_source=news","referrer":"https://www.google.com/","screen":"1920x1080","props":{"author":"Ada","plan":"pro"}}`

// benchmarkRequest measures a request of so many events. The headers are names and values.
func benchmarkRequest(b *testing.B, method, uri, body string, events int, headers ...string) {
	c, ctx := newUnlingering(b, events), requestOf(method, uri, body, headers...)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		c.Handler(ctx)
		if ctx.Response.StatusCode()/100 != 2 {
			b.Fatalf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
		}
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// newUnlingering returns a collector whose records have so many events: with one request at a time a
// record would linger, and full records are what load makes. They go nowhere.
func newUnlingering(tb testing.TB, events int) *Collector {
	c := mustOpen(tb, mustCluster(tb), func(o *Options) { o.TickEvery, o.MaxRecordEvents = 10*time.Second, events })
	for _, p := range c.partitions {
		p.mu.Lock() // a tick may be on its way
		p.out = nowhere{}
		p.mu.Unlock()
	}
	return c
}

// requestOf returns a request of a browser with further headers, names and values.
func requestOf(method, uri, body string, headers ...string) *fasthttp.RequestCtx {
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(uri)
	req.Header.SetUserAgent(chrome)
	req.Header.Set("Accept-Language", "de-AT,de;q=0.9,en;q=0.8")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	req.SetBodyString(body)
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP("8.8.8.8"), Port: 4711}, nil)
	return ctx
}

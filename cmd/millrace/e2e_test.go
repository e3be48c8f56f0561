package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/demo"
)

// long turns on what takes minutes: go test ./cmd/millrace -long
var long = flag.Bool("long", false, "run the long forms of the end-to-end tests")

// onlyLong skips what a short run has a like of, or has in the tests of a package: CI's step kills plays it, with -long.
func onlyLong(t *testing.T) {
	t.Helper()
	if !*long {
		t.Skip("takes its time; -long plays it")
	}
}

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"

// TestBeaconToAnswer posts a beacon as Plausible's script does and waits for it in the answer: at once as a number that is not
// final, and, in the long form, as a final one 5 s after its minute.
func TestBeaconToAnswer(t *testing.T) {
	if !*long { // which judges how long it takes
		t.Parallel()
	}
	testBeaconToAnswer(t, localPlace(t))
}

func TestBeaconToAnswerOnKafka(t *testing.T) { testBeaconToAnswer(t, kafkaPlace(t)) }

func testBeaconToAnswer(t *testing.T, at place) {
	s := mustServe(t, at)
	sent := time.Now()
	req, err := http.NewRequest("POST", s.url+"/api/event", strings.NewReader(
		`{"n":"pageview","u":"https://shop.example.com/lamps?utm_source=letter","d":"shop.example.com","r":"https://www.google.com/"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/plain")
	req.Header.Set("User-Agent", firefox)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("status %d", resp.StatusCode)
	}
	question := map[string]any{
		"site_id": "shop.example.com", "metrics": []string{"visitors", "pageviews"},
		"date_range": aroundNow(), "dimensions": []string{"event:page"},
	}
	waitFor(t, 10*time.Second, func() error {
		a, err := s.ask(question)
		if err != nil {
			return err
		}
		if len(a.Results) != 1 || a.Results[0].Dimensions[0] != "/lamps" || a.Results[0].Metrics[0] != 1 || a.Results[0].Metrics[1] != 1 {
			return fmt.Errorf("answer %+v", a.Results)
		}
		return nil
	})
	t.Logf("in the answer after %v", time.Since(sent).Round(10*time.Millisecond))
	if *long {
		minute := sent.Truncate(time.Minute)
		question["date_range"] = []string{minute.Format(time.RFC3339), minute.Add(time.Minute - time.Second).Format(time.RFC3339)}
		final := minute.Add(time.Minute + 5*time.Second)
		time.Sleep(time.Until(minute.Add(time.Minute)))
		waitFor(t, time.Until(final), func() error {
			a, err := s.ask(question)
			if err == nil && (!a.Meta.Complete || len(a.Results) != 1 || a.Results[0].Metrics[1] != 1) {
				err = fmt.Errorf("answer %+v", a)
			}
			return err
		})
		t.Logf("final %v after its minute", time.Since(minute.Add(time.Minute)).Round(10*time.Millisecond))
	}
	s.mustStop(t)
}

// TestPrintedCommands does what the greeting tells a newcomer to do, word for word.
func TestPrintedCommands(t *testing.T) {
	t.Parallel()
	s := mustServe(t, localPlace(t), "--sites", "blog.example.com,shop.example.com", "--demo")
	commands := map[string][]string{}
	for _, line := range strings.Split(s.stdout.String(), "\n") {
		if words := shellWords(t, strings.TrimSpace(line)); len(words) > 0 && words[0] == "curl" {
			key := "beacon"
			if strings.Contains(line, "/api/v2/query") {
				key = "query"
			}
			commands[key] = words
		}
	}
	day := -1
	waitFor(t, 10*time.Second, func() error {
		// The query is for today: of a beacon from before midnight it has nothing.
		if today := time.Now().UTC().Day(); today != day {
			if code, body := curl(t, commands["beacon"]); code/100 != 2 {
				t.Fatalf("%q: status %d, %s", commands["beacon"], code, body)
			}
			day = today
		}
		code, body := curl(t, commands["query"])
		if code != http.StatusOK {
			return fmt.Errorf("status %d: %s", code, body)
		}
		var a answer
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			return err
		}
		if len(a.Results) != 1 || a.Results[0].Dimensions[0] != "/hello" {
			return fmt.Errorf("answer %s", body)
		}
		return nil
	})
	// Live traffic of the three sites, of whom one at least is awake: in the realtime window the made-up past is not.
	waitFor(t, time.Minute, func() error {
		var n float64
		for _, site := range demo.Sites() {
			_, body, err := get(s.url + "/api/v1/stats/realtime/visitors?site_id=" + site)
			if err != nil {
				return err
			}
			v, err := strconv.ParseFloat(strings.TrimSpace(body), 64)
			if err != nil {
				return fmt.Errorf("%s: %w", body, err)
			}
			n += v
		}
		if n < 2 {
			return fmt.Errorf("the demo's numbers do not move: %v visitors", n)
		}
		return nil
	})
	for _, path := range []string{"/livez", "/metrics", "/debug/pprof/goroutine?debug=1"} {
		if code, body, err := get(s.admin + path); err != nil || code != http.StatusOK || body == "" {
			t.Errorf("%s: status %d, %v", path, code, err)
		}
	}
	s.mustStop(t)
}

// curl makes the request of a curl command.
func curl(t *testing.T, words []string) (code int, body string) {
	t.Helper()
	url, data, agent := "", "", "curl/8.14.1"
	header := http.Header{}
	for i := 1; i < len(words); i++ {
		switch w := words[i]; w {
		case "-s":
		case "-d", "-H", "-A":
			if i++; i == len(words) {
				t.Fatalf("%q ends with %s", words, w)
			}
			if w == "-d" {
				data = words[i]
				break
			}
			if w == "-A" {
				agent = words[i]
				break
			}
			name, value, _ := strings.Cut(words[i], ": ")
			header.Set(name, value)
		default:
			url = w
		}
	}
	req, err := http.NewRequest("POST", url, strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	header.Set("User-Agent", agent)
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b.String()
}

// shellWords splits a line as a shell does: at spaces outside of single quotes.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 0 {
			words = append(words, strings.Fields(part)...)
		} else {
			words = append(words, part)
		}
	}
	return words
}

// aroundNow is a range of an hour before and behind now, for tests that may run into midnight, where
// "day" has nothing of what was sent before.
func aroundNow() []string {
	now := time.Now().UTC()
	return []string{now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)}
}

// waitFor calls f until it returns nil, for at most so long.
func waitFor(tb testing.TB, atMost time.Duration, f func() error) {
	tb.Helper()
	deadline := time.Now().Add(atMost)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("after %v: %v", atMost, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

package clients

import (
	"fmt"
	"net/http"
	"strings"
)

// Day is when the packages were the newest ones and Table was seen.
const Day = "2026-11-29"

// Document returns docs/trackers.md: Table for people.
func Document() string {
	var b strings.Builder
	b.WriteString(`# What trackers do with an answer

Made by ` + "`go test ./bench/verify/clients -rewrite`" + ` of what ` + "`.ci/run clients`" + ` sees the published libraries do, unchanged but for the address: do not edit.
Node ` + Node + `, Chromium ` + Chromium + `, the newest versions of ` + Day + `. Each sends to a real ` + "`millrace serve`" + ` by way of a proxy that gives the first request another answer, and
[events.md](events.md#other-trackers) says what becomes of what they send.

- **success**: the client takes the event for delivered. **again**: it sends it again by itself, and gives it up after so many
  times, where that was waited for. **kept**: it keeps it, and sends it with the next event or
  when it is told to flush; in a browser when the page is left, or the site opened again. **final**: it is given up.
- What the caller hears in the end: an *error*; *nothing*; or *crash*: an exception that it can't catch ends its process. Where it is not said, an event that
  was delivered is a success, and one that was given up an error.
- 400 to 503 are refusals of Millrace, with the status that each protocol has for them: "503:" in the column of 429 is what that client gets in its place. 502 is a
  load balancer's that has no collector behind it. At *closed* the connection is reset without an answer; at *lost* too, but the collector had taken the event.
- Pages were open for two minutes after the event. A browser shows its page nothing of the answer at 502, which has no header of CORS, nor at *closed* and *lost*; and it
  sends a request again by itself if the connection had served another before ([what is counted then](counting.md#sent-again-by-a-browser)), which is not in the table.
- Whatever is sent again counts once, by the id that is named. Without one nothing tells two equal events of a server from one that comes again.

`)
	b.WriteString("## Servers and apps: node\n\n")
	writeTable(&b, nodeTable())
	b.WriteString("\n## Pages: browsers\n\n")
	writeTable(&b, browserTable())
	return b.String()
}

func writeTable(b *strings.Builder, clients []Client) {
	columns := Answers()
	b.WriteString("| client | id |")
	for _, a := range columns {
		b.WriteString(" " + string(a) + " |")
	}
	b.WriteString("\n|" + strings.Repeat("---|", len(columns)+2) + "\n")
	for _, c := range clients {
		name := strings.TrimSpace(c.Name + " " + c.Version)
		if c.Use != "" {
			name += ", " + c.Use
		}
		if c.Note != "" {
			name += ". " + c.Note
		}
		id := "none"
		if c.ID != "" {
			id = "`" + c.ID + "`"
		}
		fmt.Fprintf(b, "| %s | %s |", name, id)
		for _, a := range columns {
			b.WriteString(" " + c.Cells[a].text(a, c.Repeats) + " |")
		}
		b.WriteString("\n")
	}
}

// text returns a cell for people; repeats are those of its Client.
func (c Cell) text(a Answer, repeats int) string {
	text := string(c.Does)
	given := c.Does == Final && a != Lost
	switch {
	case c.Sees == Nothing:
		text += ", nothing"
	case c.Sees == Crash:
		text += ", *crash*"
	case given && c.Sees == Success:
		text += ", success"
	case !given && c.Sees == Failure:
		text += ", error"
	}
	if a == Unavailable && repeats > 0 {
		text += fmt.Sprintf(", %d times", repeats)
	}
	if a == Lost && c.Counted != 1 {
		text += fmt.Sprintf(", counted %d times", c.Counted)
	}
	if ref, ok := refusals[a]; ok && c.Status != ref.Status || a == Accepted && c.Status != http.StatusOK {
		text = fmt.Sprintf("%d: %s", c.Status, text)
	}
	return text
}

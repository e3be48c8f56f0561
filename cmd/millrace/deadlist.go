package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"millrace/cmd/internal/deadletters"
	"millrace/internal/deadletter"
)

// deadListCommand lists letters.
type deadListCommand struct {
	Limit int  `default:"100" group:"Choice" help:"The newest so many; 0 is all."`
	Open  bool `group:"Choice" help:"Only letters that were not retried."`
	JSON  bool `name:"json" group:"Output" help:"Print a JSON object a line."`

	filterFlags `embed:""`
	deadFlags   `embed:""`
}

// letterLine is a line of list --json.
type letterLine struct {
	Coord    string    `json:"coord"`
	Letter   string    `json:"letter"`
	SetAside time.Time `json:"set_aside"`
	State    string    `json:"state"`
	To       string    `json:"retried_to,omitempty"`
	Bytes    int       `json:"bytes"`
	Key      string    `json:"key"`
	Reason   string    `json:"reason"`
}

func lineOf(e *deadletter.Entry) letterLine {
	l := letterLine{Coord: e.Coord().String(), Letter: e.Place.String(), SetAside: e.SetAside, State: string(e.State),
		Bytes: e.Size, Key: e.Key, Reason: e.Reason}
	if e.State == deadletter.Retried {
		l.To = deadletter.Coord{Topic: e.Topic, Partition: e.Partition, Offset: e.To}.String()
	}
	return l
}

func (c *deadListCommand) Run(p *process, logs *logFlags) error {
	if c.Limit < 0 {
		return usagef("--limit: %d is negative", c.Limit)
	}
	filter, err := c.filter(time.Now())
	if err != nil {
		return err
	}
	filter.Open = c.Open
	var newest deadletters.Newest
	err = c.with(logs.open(p.stderr), func(box *deadletter.Box) (err error) {
		newest, err = deadletters.List(p.ctx, box, filter, c.Limit)
		return err
	})
	if err != nil {
		return err
	}
	lines := make([]letterLine, len(newest.Letters))
	for i := range newest.Letters {
		lines[i] = lineOf(&newest.Letters[i])
	}
	if c.JSON {
		enc := json.NewEncoder(p.stdout)
		enc.SetEscapeHTML(false)
		for i := range lines {
			if err := enc.Encode(&lines[i]); err != nil {
				return fmt.Errorf("print: %w", err)
			}
		}
		return nil
	}
	return printLetters(p.stdout, lines, newest.Count)
}

func printLetters(w io.Writer, lines []letterLine, count int) error {
	if count == 0 {
		_, err := fmt.Fprintln(w, "no dead letters")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "COORD\tSET ASIDE\tBYTES\tSTATE\tREASON")
	for _, l := range lines {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", deadletters.Printable(l.Coord, 200), l.SetAside.Format("2006-01-02 15:04:05"), l.Bytes, l.State, deadletters.Printable(l.Reason, 120))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if count > len(lines) {
		fmt.Fprintf(w, "and %d older ones; --limit 0 lists all\n", count-len(lines))
	}
	return nil
}

// deadShowCommand shows one letter.
type deadShowCommand struct {
	Coord string `arg:"" name:"coord" help:"The letter: topic/partition/offset of its record."`
	Raw   bool   `group:"Output" help:"Print the record's value and nothing else, byte for byte."`
	Most  int    `default:"2048" group:"Output" help:"Most bytes of the value that are shown, without --raw."`

	deadFlags `embed:""`
}

func (c *deadShowCommand) Run(p *process, logs *logFlags) error {
	coords, err := parseCoords([]string{c.Coord})
	if err != nil {
		return err
	}
	if c.Most < 0 {
		return usagef("--most: %d is negative", c.Most)
	}
	var e *deadletter.Entry
	err = c.with(logs.open(p.stderr), func(box *deadletter.Box) error {
		found, err := deadletters.Find(p.ctx, box, coords)
		if err == nil {
			e = found[0]
		}
		return err
	})
	if err != nil {
		return err
	}
	if c.Raw {
		return c.raw(p, e)
	}
	return c.print(p.stdout, e)
}

func (c *deadShowCommand) raw(p *process, e *deadletter.Entry) error {
	if e.Value == nil {
		return errors.New("the record had no value")
	}
	if _, err := p.stdout.Write(e.Value); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if e.Size > len(e.Value) {
		return fmt.Errorf("this is not all: the letter has %d of %d bytes", len(e.Value), e.Size)
	}
	return nil
}

func (c *deadShowCommand) print(w io.Writer, e *deadletter.Entry) error {
	l := lineOf(e)
	var b strings.Builder
	fmt.Fprintf(&b, "record     %s\nletter     %s\nset aside  %s\nstate      %s", deadletters.Printable(l.Coord, 300), l.Letter, l.SetAside.Format(time.RFC3339Nano), l.State)
	if l.To != "" {
		fmt.Fprintf(&b, ", it is at %s", l.To)
	}
	fmt.Fprintf(&b, "\nreason     %s\nkey        %s\n", deadletters.Printable(e.Reason, deadletter.MaxText), deadletters.Printable(e.Key, 300))
	switch {
	case e.Value == nil:
		fmt.Fprintln(&b, "value      none")
	case e.Size > len(e.Value):
		fmt.Fprintf(&b, "value      %d bytes, of which the letter has %d\n\n", e.Size, len(e.Value))
	default:
		fmt.Fprintf(&b, "value      %d bytes\n\n", e.Size)
	}
	b.WriteString(deadletters.Dump(e.Value, c.Most))
	_, err := io.WriteString(w, b.String())
	return err
}

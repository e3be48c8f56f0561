package sizing

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// String prints the plan for people.
func (p *Plan) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		text := fmt.Sprintf("%-24s "+format, append([]any{name}, args...)...)
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	o := p.Options
	line("events", "%s a day of %s: %s/s on average, %s/s at a peak of %s times that", number(o.EventsPerDay), sites(o.Sites),
		number(p.Mean), number(p.PeakRate), number(o.Peak))
	line("a site", "%s events a minute on average", number(p.Density))
	if p.OneProcess {
		line("one process", "is enough: millrace serve, all roles, on %d cores; what is below is for a cluster", o.NodeCores)
	}
	line("Kafka", "%d brokers, %d copies, %s of disk for each broker, which is %s %% full then", p.Brokers, o.Replicas, size(p.BrokerDisk), number(100*diskUse))
	line("  partitions", "%d of each topic; they can't be changed later", p.Partitions)
	for _, t := range p.Topics {
		line("  "+t.Name, "%s in all copies", size(t.Bytes))
	}
	line("roles", "on nodes of %d cores, of which the peak takes %s %%; two of each for when one fails, and roles may share nodes", o.NodeCores, number(100*o.Use))
	for _, r := range p.Roles {
		line("  "+r.Name, "%s cores at the peak, %d nodes, %s of memory each", number(r.Cores), r.Nodes, size(r.Memory/int64(r.Nodes)))
	}
	line("state of the engine", "%s of disk in all", size(p.State))
	line("in 30 days", "")
	for _, s := range p.Month {
		line("  "+s.Name, "%s", size(s.Bytes))
	}
	line("requests to the bucket", "%s puts a day at most; --archive-every 5m on the role archive makes a fifth of it", number(float64(p.Puts)))
	return b.String()
}

func sites(n int) string {
	if n == 1 {
		return "1 site"
	}
	return number(float64(n)) + " sites"
}

// number writes three significant digits, without an exponent.
func number(v float64) string {
	text := strconv.FormatFloat(v, 'g', 3, 64)
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return text
	}
	if strings.ContainsRune(text, 'e') {
		f, _ := strconv.ParseFloat(text, 64)
		text = strconv.FormatFloat(f, 'f', -1, 64)
	}
	whole, rest, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return whole
}

// size writes bytes in the unit of disks.
func size(n int64) string {
	v, unit := float64(n)/1e6, "MB"
	for _, next := range []string{"GB", "TB", "PB"} {
		if v < 1000 {
			break
		}
		v, unit = v/1000, next
	}
	return number(v) + " " + unit
}

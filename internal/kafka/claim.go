package kafka

import (
	"context"

	"github.com/IBM/sarama"
)

// Bounds of what the claims of a session hold together, in bytes of records, and of what one holds
// before its partition is fetched no more. Not less: the processor works off what is held while the
// next request is under way, for up to 0.1 s. Not more: after an outage all partitions hold as much,
// and the answer to a request comes on top.
const (
	holdAll  = 64 << 20
	holdMost = 4 << 20
	holdMin  = 256 << 10
)

// holdOf returns how much a claim holds at most, of so many.
func holdOf(claims int) int { return min(max(holdAll/max(claims, 1), holdMin), holdMost) }

// claim takes records of a partition from Sarama and holds those that the processor is not ready for.
//
// Sarama requests the next records of all partitions of a broker together, and not before those of the
// last request have been taken. Where the processor takes them one by one, a partition that is behind
// would keep the others waiting: megabytes of records may be work for minutes. So what has come is
// taken at once, and a partition that holds enough is left out of the requests until it does not.
type claim struct {
	sarama.ConsumerGroupClaim
	out           chan *sarama.ConsumerMessage
	most          int    // bytes that are held when fetching stops; it goes on with half of them
	pause, resume func() // of fetching the partition

	held   []*sarama.ConsumerMessage
	bytes  int  // of held
	paused bool // no more is fetched
}

func (c *claim) Messages() <-chan *sarama.ConsumerMessage { return c.out }

// forward notes every record before it is handed on. It ends with ctx, or when Sarama has no more
// records; those that are held then are for the partition's next owner.
func (c *claim) forward(ctx context.Context, p *Prefix, at *place) {
	defer close(c.out)
	defer func() {
		if c.paused { // Sarama remembers that of a partition, not of a claim
			c.resume()
		}
	}()
	noted := false // held[0] is
	for {
		var out chan<- *sarama.ConsumerMessage
		var first *sarama.ConsumerMessage
		if len(c.held) > 0 {
			if out, first = c.out, c.held[0]; !noted {
				p.Deliver(first.Offset)
				noted = true
			}
		}
		select {
		case m, ok := <-c.ConsumerGroupClaim.Messages():
			if !ok {
				return
			}
			at.busy.Store(true)
			at.next.Store(m.Offset + 1)
			c.hold(m)
		case out <- first:
			noted = false
			c.drop()
			at.busy.Store(len(c.held) > 0)
		case <-ctx.Done():
			return
		}
	}
}

func (c *claim) hold(m *sarama.ConsumerMessage) {
	c.held = append(c.held, m)
	if c.bytes += size(m); c.bytes >= c.most && !c.paused {
		c.paused = true
		c.pause()
	}
}

// drop drops the first record that is held.
func (c *claim) drop() {
	c.bytes -= size(c.held[0])
	c.held[0] = nil
	if c.held = c.held[1:]; len(c.held) == 0 {
		c.held = nil // the array may have grown to any size
	}
	if c.paused && c.bytes <= c.most/2 {
		c.paused = false
		c.resume()
	}
}

func size(m *sarama.ConsumerMessage) int { return len(m.Key) + len(m.Value) }

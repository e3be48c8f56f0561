package ingest

import (
	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// What the collector refuses whatever the protocol; see also admit, admitNew and package protocol.
var (
	refuseRate = &protocol.Refusal{Status: fasthttp.StatusTooManyRequests, Reason: protocol.ReasonRate, RetryAfter: "1",
		Msg: "too many requests of this site or address"}
	refuseClosing = &protocol.Refusal{Status: fasthttp.StatusServiceUnavailable, Reason: protocol.ReasonClosing, RetryAfter: "1",
		Msg: "shutting down, try again"}
	refuseKafka = &protocol.Refusal{Status: fasthttp.StatusServiceUnavailable, Reason: protocol.ReasonKafka, RetryAfter: "2",
		Msg: "kafka did not acknowledge in time, try again with the same ids"}
	refuseSpool = &protocol.Refusal{Status: fasthttp.StatusServiceUnavailable, Reason: protocol.ReasonSpool, RetryAfter: "10",
		Msg: "kafka did not acknowledge in time, and the collector's spool takes no more; try again"}
	refuseBug = &protocol.Refusal{Status: fasthttp.StatusInternalServerError, Reason: protocol.ReasonBug,
		Msg: "this request has met a mistake in Millrace; none of its events are stored"}
	refuseSalt = &protocol.Refusal{Status: fasthttp.StatusServiceUnavailable, Reason: protocol.ReasonSalt, RetryAfter: "2",
		Msg: "the collectors have not agreed on the day's salt of visitor ids yet, try again"}
	refuseClock = &protocol.Refusal{Status: fasthttp.StatusServiceUnavailable, Reason: protocol.ReasonKafka, RetryAfter: "2",
		Msg: "kafka refuses the time of the records: this collector's clock is ahead of kafka's by more than an hour, " +
			"or what its message.timestamp.after.max.ms is; once it is set right, try again with the same ids"}
	refuseRight = &protocol.Refusal{Status: fasthttp.StatusServiceUnavailable, Reason: protocol.ReasonKafka, RetryAfter: "10",
		Msg: "kafka refuses the records: this collector lacks the right to write them; once it has it, try again with the same ids"}
	refuseSize = &protocol.Refusal{Status: fasthttp.StatusServiceUnavailable, Reason: protocol.ReasonKafka, RetryAfter: "10",
		Msg: "kafka refuses the record because of its size: max.message.bytes of the topic is too small; once it is raised, try again with the same ids"}
)

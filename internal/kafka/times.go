package kafka

import (
	"errors"
	"fmt"
	"strings"

	"github.com/IBM/sarama"
)

// ExplainTime names the cause of an error that means that Kafka refused the time of a record; goka
// passes on no more than the text of such an error. Others, and nil, are returned as they are.
func ExplainTime(err error) error {
	refused := sarama.ErrInvalidTimestamp
	if err == nil || !errors.Is(err, refused) && !strings.Contains(err.Error(), refused.Error()) {
		return err
	}
	return fmt.Errorf("the clock of this machine is ahead of Kafka's by more than message.timestamp.after.max.ms of the topic allows, "+
		"an hour unless configured otherwise; set it right: %w", err)
}

package kafka

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/IBM/sarama"
)

func TestExplainTime(t *testing.T) {
	refused := sarama.ErrInvalidTimestamp
	for _, err := range []error{refused, fmt.Errorf("emit: %w", refused), errors.New("1 error occurred: " + refused.Error())} {
		got := ExplainTime(err)
		if !errors.Is(got, err) || !strings.HasPrefix(got.Error(), "the clock of this machine is ahead of Kafka's") {
			t.Errorf("%v", got)
		}
	}
	if err := ExplainTime(io.EOF); err != io.EOF {
		t.Error(err)
	}
	if err := ExplainTime(nil); err != nil {
		t.Error(err)
	}
}

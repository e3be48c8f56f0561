package kafka

import (
	"fmt"
	"strings"
)

func sprintf(format string, args []any) string {
	return "goka: " + strings.TrimSpace(fmt.Sprintf(format, args...))
}

func sprint(args []any) string { return strings.TrimSpace(fmt.Sprint(args...)) }

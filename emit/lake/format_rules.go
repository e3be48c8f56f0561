package lake

import (
	"context"
	"errors"
	"fmt"

	"millrace/internal/blob"
)

// rulesObject is the object with the rules that the archive's stream is counted by. It is no JSON
// file but, like the progress and beside it, a Parquet file without a row whose metadata has the
// text: the folder of the archive stays one table to every reader, and builds before pass it over.
const rulesObject = progressPrefix + "rules.parquet"

// rulesKey is the key of its metadata.
const rulesKey = "millrace.rules"

// ErrRules is wrapped by the error for an object of rules that is damaged.
var ErrRules = errors.New("the object of the stream's rules is damaged")

// PutRules leaves the rules that the stream is counted by with its archive, in place of those that
// are there. The text is the caller's.
func PutRules(ctx context.Context, store blob.Store, text []byte) error {
	body, err := emptyObject(rulesKey, string(text))
	if err != nil {
		return err
	}
	return store.Put(ctx, rulesObject, body)
}

// Rules returns what PutRules has left, nil if nothing has been left.
func (r *Reader) Rules(ctx context.Context) ([]byte, error) {
	body, err := r.store.Get(ctx, rulesObject)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := objectText(body, rulesKey)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", r.RulesName(), ErrRules, err)
	}
	return []byte(text), nil
}

// RulesName names the object of the rules, for errors.
func (r *Reader) RulesName() string { return fmt.Sprintf("%q in %s", rulesObject, r.store) }

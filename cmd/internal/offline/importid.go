package offline

import (
	"time"

	"millrace/cmd/internal/cli"
	"millrace/cmd/internal/datadir"
	"millrace/ingest/identity"
	"millrace/ingest/salt"
)

// ImportIdentity returns what visitors of imports are hashed with: the secret and the import salt of the data folder, or
// for both a secret that is given, so that files have the same visitors whenever they are imported.
func (s *Session) ImportIdentity(given string) (*identity.Identity, error) {
	if given != "" {
		secret, err := datadir.ParseSecret(given)
		if err != nil {
			return nil, cli.Usagef("--secret: %w", err)
		}
		return identity.New(secret, identity.NewDerived(secret))
	}
	secret, err := s.Dir.Secret()
	if err != nil {
		return nil, err
	}
	key, err := salt.ForImport(s.Dir.ImportSalt(), time.Now())
	if err != nil {
		return nil, err
	}
	return identity.New(secret, identity.NewDerived(key))
}

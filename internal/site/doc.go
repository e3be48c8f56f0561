// Package site is what is configured per site, and its one parser.
//
// In goes a Config: lists, keys, zones and paths of files, as operators write them;
// out comes a *Sites, which never changes and which any goroutine may read:
//
//	sites, err := site.Read(site.Config{
//		Listen:    ":8080",
//		Sites:     []string{"shop.example.com", "blog.example.com"},
//		TimeZones: map[string]string{"shop.example.com": "Europe/Berlin"},
//		Goals:     "goals.json",
//	})
//	sites.Of("shop.example.com").TimeZone // Europe/Berlin
//	sites.Of("other.example").Named       // false: its events are refused
//
// A setting that a site can have is a field of Site, with the value for sites that do not have
// their own in Sites.Default. What the collector decides by (who may send, quotas, what is left
// out) is in Senders; what is counted by (goals, currency, spelling of pages, bots) is the engine's.
//
// # A file of sites
//
// Config.File is a YAML file with all of it; Example has every field. Check reads one as serve
// would. A Source reads the configuration again when its files have changed, and Sites.InForce says
// what of it may be in force in a process that runs:
//
//	source := site.NewSource(config)
//	start, _, err := source.Read()
//	… every two seconds:
//	if next, fresh, err := source.Read(); fresh && err == nil {
//		now, waiting := start.InForce(next)
//	}
//
// Beside the file no flag may set what the file can have (--sites, --shards, --honour-dnt,
// --time-zone, --site-time-zones, --goals): that is an error, and there is no precedence. A flag
// that won would hide later changes of the file, one that lost would be ignored, and Check could
// not say what is in force. Keys are sets, not values: those of the flags, which open sites
// that the file does not know, are added to the file's.
//
// The file is read strictly. Everything that is wrong with it is found at once, with line and
// column, and nothing of it is in force then. A key that this version does not obey is an error: a
// site whose quota is ignored is worse than one that does not start. Keys of trusted senders and
// of queries are hashes in the file, and themselves only in files of their own, so that the file
// of sites is no secret.
//
// To add a field: a name in siteFields (filefields.go) and a reader in fileReader.site, the key out
// of unsupported (file.go), the field in example.yaml, a row in docs/sites.md, and, if it has a
// default, its name in defaultFields and a reader in fileReader.file. What people may write instead goes
// into synonyms (file.go); a field that numbers depend on into countedOf (counted.go), or the
// self-audit compares over its change. It is in force at once unless InForce (inforce.go) lets it wait
// for a restart. A flag that sets it goes into Config and onlyFile.
//
// The parts between import these types, where they would otherwise declare the same ones and cmd
// would translate: ingest takes the named sites and the write keys, query the query keys,
// engine/enrich the goals. What they decide with a setting is theirs; here is what it is and how it
// is written.
//
// Invariants:
//   - A Site that Read returns is valid: its id under event.ValidSite, its shards within MaxShards,
//     its zone one of the database, its goals reachable by some event.
//   - Keys are kept as hashes, each once. No error has a part of a key.
//   - No two sites have a token in common, and none is the id of another site.
//   - Errors begin with the flag that the value is of, and suggest what may have been meant.
//
// cmd calls Read, Check and Source. It does not read flags, and does not know how sites are served
// or counted.
package site

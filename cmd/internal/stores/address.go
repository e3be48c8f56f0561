package stores

import (
	"fmt"
	"strings"

	"millrace/internal/blob"
	"millrace/internal/influxdb"
)

// Validate reports what is no address of a store, before anything is opened or made. An empty
// address is the data folder.
func Validate(influx, s3 string) error {
	if err := validLake(s3); err != nil {
		return err
	}
	if influx == "" {
		return nil
	}
	if _, err := influxdb.ParseURL(influx); err != nil {
		return fmt.Errorf("--influx: %w", err)
	}
	return nil
}

// withBucket returns an address of a host and a path with a word for the bucket where it names
// none.
func withBucket(host string) string {
	host = strings.TrimSuffix(host, "/")
	if !strings.Contains(host, "/") {
		return host + "/BUCKET"
	}
	return host
}

// validLake finds what is no address of an archive. A bare word is refused: it is more likely the
// name of a bucket than that of a folder beside wherever the process was started.
func validLake(address string) error {
	if address == "" {
		return nil
	}
	scheme, rest, found := strings.Cut(address, "://")
	if found && (scheme == "http" || scheme == "https") {
		host, _, _ := strings.Cut(rest[strings.LastIndexByte(rest, '@')+1:], "?") // what is before it is a password
		return fmt.Errorf("--s3: an address of a bucket does not begin with %s://; write s3://KEY:SECRET@%s?tls=%t", scheme, withBucket(host), scheme == "https")
	}
	if !found && !strings.ContainsAny(address, "/.:") {
		if strings.Trim(address, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" { // no name of a bucket: perhaps a secret
			address = "NAME"
		}
		return fmt.Errorf("--s3: %q is neither the address of a bucket, s3://KEY:SECRET@HOST:9000/%s, nor the path of a folder, ./%s", address, address, address)
	}
	path, err := blob.FolderOf(address)
	if err == nil && path == "" {
		var bucket blob.S3Config
		if bucket, err = blob.ParseS3(address); err == nil {
			err = bucket.Validate()
		}
	}
	if err != nil {
		return fmt.Errorf("--s3: %w", err)
	}
	return nil
}

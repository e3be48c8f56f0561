// Package blob is the object store that the data lake lives in: a folder, or a bucket of any server
// that speaks S3.
//
// In go whole objects under validated keys; out come byte ranges, and listings in the byte order of
// the keys. Open picks the implementation from the address it is given:
//
//	./data/lake                                             a folder
//	file:///var/lib/millrace/lake                           a folder
//	s3://KEY:SECRET@host:9000/bucket/prefix?region=eu&tls=true
//	                                                        a bucket; prefix, port and query are optional
//
//	store, err := blob.Open("./data/lake")
//	err = store.Put(ctx, "dt=2026-11-23/hr=10/part.parquet", body)
//	for info, err := range store.List(ctx, "dt=2026-11-23/", "") {
//		…
//	}
//
// Credentials that the address leaves out come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN, and failing these from MINIO_ROOT_USER and MINIO_ROOT_PASSWORD. A key or
// secret with the characters / : @ ? # in it is written percent-encoded. tls is true unless the
// host is a loopback address; region is us-east-1 by default.
//
// Invariants:
//   - Put is atomic: a reader sees the old object, the new one or none, never a part. When Put has
//     returned nil the object survives a crash of the machine (folder: file and directories are
//     synced).
//   - Putting the same object twice is the same as putting it once.
//   - A listing is in byte order of the keys, the same for both implementations, and shows no
//     object that is still being written.
//   - Errors name the object and the store, never a secret.
//
// Units: sizes and positions are bytes.
//
// A Store may be used by any number of goroutines, and a folder by several processes at once.
//
// It does not retry beyond what a single request needs: the caller knows how long it can wait. It
// has no conditional writes, no versions and no metadata beside an object's bytes.
package blob

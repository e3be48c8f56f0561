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
// tls is true unless the host is a loopback address. A key or secret with the characters / : @ ? #
// in it is written percent-encoded. More settings of a bucket, behind the ? and with & between them:
//
//	region=eu-central-1   signs the requests; see S3Config.Region
//	ca=FILE               PEM file of authorities to trust, not the system's
//	style=path|host       https://host/bucket/… or https://bucket.host/…
//	credentials=FILE      a shared credentials file, as Amazon's programs have it
//	profile=NAME          a section of that file, or of the one of the user
//
// Credentials that the address leaves out are looked for in this order; the first source that is
// configured is used, and if it fails that is an error:
//
//  1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; MINIO_ROOT_USER and
//     MINIO_ROOT_PASSWORD
//  2. a web identity: AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ENDPOINT_URL_STS
//  3. the shared credentials file: AWS_SHARED_CREDENTIALS_FILE, AWS_PROFILE, ~/.aws/credentials
//  4. AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI
//  5. the metadata of a machine in Amazon's cloud, for Amazon's S3 or with
//     AWS_EC2_METADATA_SERVICE_ENDPOINT
//
// Files are read again when they change, and what expires is renewed. Without any source requests
// are anonymous.
//
// A server of buckets may be tried before it is relied on, by [Prober].
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

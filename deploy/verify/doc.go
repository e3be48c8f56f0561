// Package verify is a module of its own that proves the files in deploy, so that the libraries it
// takes are none of Millrace's: Helm's renderer, Kubernetes' types, Compose's reader.
//
//	cd deploy/verify && MILLRACE_BINARY=/path/to/millrace go test ./...
//
// Package chart renders the chart for its examples and reads each object strictly into the type it
// is of; compose loads the Compose files; image unpacks the image and runs it as a container would.
// All of them start the program with the settings that they found, as far as a process without a
// Kafka goes. MILLRACE_IMAGE names an image of deploy/image.sh; without it one is made.
//
// deploy/package/test.sh does the same for the packages.
package verify

// Package lockfile keeps two processes from using one folder at a time.
//
// In goes the path of a file, which is made if it is missing; out comes a lock that is held until
// Close or the end of the process, however that ends.
//
//	lock, err := lockfile.Open(filepath.Join(dir, "lock"))
//	if errors.Is(err, lockfile.ErrHeld) {
//		return fmt.Errorf("%s is in use", dir)
//	}
//	defer lock.Close()
//
// Invariants: one holder at a time, also within a process and by another spelling of the path. The
// file stays when the lock is closed: to remove it would let two processes lock two files of one name.
//
// The locks are those of Pebble (fcntl on Unix, an unshared open on Windows), of the same kind as it
// takes for its own folders. A process must not open and close the file by itself while it holds the
// lock: on Unix that ends the lock.
package lockfile

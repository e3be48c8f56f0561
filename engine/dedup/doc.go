// Package dedup remembers which event ids a partition has seen lately, so that an event that is sent twice counts once.
package dedup

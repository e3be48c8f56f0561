// Package geotest writes small MaxMind DB files, for tests.
//
// In go networks and records; out comes a file of the format's version 2.0 (https://maxmind.github.io/MaxMind-DB/). It writes
// what tests need: maps, lists, texts, whole numbers and booleans, nothing twice, trees of 24, 28 or 32 bits a record. Bad input
// is a fatal error of the test.
package geotest

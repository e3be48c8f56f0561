// Package device finds the part of a user agent that describes the device.
//
// A user agent goes in; [Without] returns it without the comments, in brackets, that hold Android
// with the model and the build number, and without what apps and television sets say of the maker:
//
//	Mozilla/5.0 (Linux; Android 7.0; M bot 60 Build/NRD90M) AppleWebKit/537.36 ...
//	Mozilla/5.0 () AppleWebKit/537.36 ...
//
// Makers choose these names freely (Cubot, M bot 60, Spider 8, HTC Butterfly), so that no word in
// them tells anything of a program. The name of a crawler is outside of them, or in a comment that
// says "compatible", has a link or an address, or has a version behind the word bot.
//
// It is a pure function, linear in the length of the user agent. Callers are package enrich and the
// generator of its list of crawlers, so that the list is tried on what is looked at later. It does
// not name the device.
package device

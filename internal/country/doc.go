// Package country knows the English names of countries.
//
// In goes a code of ISO 3166-1 alpha-2, in any case of letters; out comes the name that Unicode's CLDR has
// for it, "" for none.
//
//	country.Name("DE") // "Germany"
//
// Invariants:
//   - names.txt holds what golang.org/x/text/language/display says; a test compares all codes (-tags
//     generated, in CI). That package itself is not linked: its tables of all languages are 1.5 MB of the
//     binary.
//   - Codes that CLDR knows beside the standard's are there too: XK, EU, and former ones under the name of
//     what they are now.
//
// Package query calls it to label rows. It knows no regions or cities: those have names in a GeoIP file.
package country

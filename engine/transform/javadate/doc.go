// Package javadate formats and parses times by the patterns of Java's
// SimpleDateFormat, in UTC and with the names and weeks of the locale en-US.
//
// A pattern is compiled once into fields and literals. Parsing is lenient as
// Java's is: fields beyond their range carry over, digits of fields that touch
// are counted, text after the match is ignored, a year of two digits is in the 80
// years before and 20 after the pattern was compiled. Dates before 15 October 1582
// are Julian.
//
// Zones are parsed as offsets, as GMT±hh:mm and by the abbreviations of zones.
package javadate

// Package javaregex matches text with patterns in the syntax and meaning of
// java.util.regex, as far as configs of connectors use it.
//
// A pattern is read here, character by character, and written anew for an engine
// below. Classes become plain sets of characters, so that unions, intersections,
// POSIX names and case-insensitive matching mean what they mean in Java whatever
// the engine. What is left goes to package regexp, which takes linear time;
// patterns with look-around, back-references, atomic groups or possessive
// quantifiers go to regexp2, which backtracks and is stopped after matchTimeout
// (I5). On an 18-character topic name the first takes 0.4 µs and the second 1.1
// µs (BenchmarkReplaceFirst).
//
// Not supported, and refused by Compile: the flags d, u, U and x, \X, \N, and names
// of Unicode blocks. Word boundaries are those of ASCII letters, digits and the
// underscore in package regexp, and of Unicode in regexp2.
package javaregex

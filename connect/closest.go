package connect

import "strings"

// Closest returns the name that text was probably meant to be, or "" when none
// is near: at most a third of its letters may differ.
func Closest(text string, names []string) string {
	best, bestDistance := "", len(text)/3+1
	for _, n := range names {
		if d := editDistance(strings.ToLower(text), strings.ToLower(n), bestDistance); d < bestDistance {
			best, bestDistance = n, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance of a and b in bytes, or limit when it
// is not below it.
func editDistance(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return min(row[len(b)], limit)
}

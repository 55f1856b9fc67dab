// Package pack makes deployment packages: zips whose bytes depend on nothing
// but the names, contents and executable bits of the files in them. Times,
// owners, umasks and the order of a folder's entries leave no trace, so that
// the same input gives the same CodeSha256 on every day and every machine.
//
//	Folder ─▶ []File ─(Ignore)─▶ Write ─▶ zip
package pack

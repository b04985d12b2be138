// Package encoding turns columns into page payloads and back.
package encoding

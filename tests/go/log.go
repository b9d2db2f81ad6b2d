// What Go's own packages make of a log of ours: golang.org/x/mod/sumdb/note and tlog. Cosignatures (C2SP
// tlog-cosignature, type 0x04) are no part of them and are verified here.
//
//	log proof POLICY PROOF LEAF        a quorum has cosigned, and the leaf is in the tree
//	log tiles POLICY LOG               every entry, hashed again, has the published root
//	log growth POLICY OLD LOG          the published tree begins with that of an older checkpoint
//	log key ORIGIN                     a log that is none of ours: its private and its public key
//	log submit POLICY KEY URL WORD OLD SIZE
//	                                   shows a witness its tree of entries "WORD 0", "WORD 1", ..., and reads the answer
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	t := binary.BigEndian.Uint64(sig[:8])
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", t, msg)
	return ed25519.Verify(c.key, []byte(signed), sig[8:])
}

type policy struct {
	log       note.Verifier
	cosigners []note.Verifier
	need      int
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Of the policy language: log, witness, one group of all or a number.
func readPolicy(path string) policy {
	text, err := os.ReadFile(path)
	fail(err)
	var p policy
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "log":
			p.log, err = note.NewVerifier(words[1])
			fail(err)
		case "witness":
			parts := strings.SplitN(words[2], "+", 3)
			hash, err := strconv.ParseUint(parts[1], 16, 32)
			fail(err)
			key, err := base64.StdEncoding.DecodeString(parts[2])
			fail(err)
			if key[0] != 4 {
				fail(errors.New("not a cosigner"))
			}
			p.cosigners = append(p.cosigners, cosigner{parts[0], uint32(hash), ed25519.PublicKey(key[1:])})
		case "group":
			if words[2] == "all" {
				p.need = len(words) - 3
			} else if words[2] == "any" {
				p.need = 1
			} else {
				p.need, err = strconv.Atoi(words[2])
				fail(err)
			}
		}
	}
	return p
}

func (p policy) open(text []byte) tlog.Tree {
	verifiers := append([]note.Verifier{p.log}, p.cosigners...)
	n, err := note.Open(text, note.VerifierList(verifiers...))
	fail(err)
	byLog, cosigned := false, 0
	for _, sig := range n.Sigs {
		if sig.Name == p.log.Name() {
			byLog = true
		} else {
			cosigned++
		}
	}
	if !byLog {
		fail(errors.New("the log has not signed"))
	}
	if cosigned < p.need {
		fail(fmt.Errorf("quorum %d/%d", cosigned, p.need))
	}
	lines := strings.Split(n.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	fail(err)
	hash, err := tlog.ParseHash(lines[2])
	fail(err)
	return tlog.Tree{N: size, Hash: hash}
}

// The hashes of all entries, in the order in which tlog stores them.
func readEntries(log string, size int64) tlog.HashReaderFunc {
	var hashes []tlog.Hash
	read := func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			if index >= int64(len(hashes)) {
				return nil, errors.New("no such hash")
			}
			found = append(found, hashes[index])
		}
		return found, nil
	}
	index := int64(0)
	for bundle := int64(0); index < size; bundle++ {
		name := filepath.Join(log, "tile/entries", fmt.Sprintf("%03d", bundle))
		if left := size - bundle*256; left < 256 {
			name += fmt.Sprintf(".p/%d", left)
		}
		data, err := os.ReadFile(name)
		fail(err)
		for r := bytes.NewReader(data); r.Len() > 0 && index < size; index++ {
			var length uint16
			fail(binary.Read(r, binary.BigEndian, &length))
			entry := make([]byte, length)
			_, err := r.Read(entry)
			fail(err)
			stored, err := tlog.StoredHashes(index, entry, tlog.HashReaderFunc(read))
			fail(err)
			hashes = append(hashes, stored...)
		}
	}
	return read
}

// The tree of entries "WORD 0", "WORD 1", ...
func treeOf(word string, size int64) tlog.HashReaderFunc {
	var hashes []tlog.Hash
	read := func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, hashes[index])
		}
		return found, nil
	}
	for index := int64(0); index < size; index++ {
		entry := []byte(fmt.Sprintf("%s %d", word, index))
		stored, err := tlog.StoredHashes(index, entry, tlog.HashReaderFunc(read))
		fail(err)
		hashes = append(hashes, stored...)
	}
	return read
}

func (p policy) submit(skey, url, word string, old, size int64) {
	signer, err := note.NewSigner(skey)
	fail(err)
	read := treeOf(word, size)
	root, err := tlog.TreeHash(size, read)
	fail(err)
	text := fmt.Sprintf("%s\n%d\n%s\n", signer.Name(), size, root)
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	fail(err)
	body := fmt.Sprintf("old %d\n", old)
	if old > 0 {
		proof, err := tlog.ProveTree(size, old, read)
		fail(err)
		for _, hash := range proof {
			body += hash.String() + "\n"
		}
	}
	answer, err := http.Post(url+"/add-checkpoint", "text/plain", strings.NewReader(body+"\n"+string(signed)))
	fail(err)
	lines, err := io.ReadAll(answer.Body)
	fail(err)
	if answer.StatusCode != http.StatusOK {
		fail(fmt.Errorf("%d %s", answer.StatusCode, lines))
	}
	tree := p.open(append(signed, lines...))
	fmt.Printf("OK %d\n", tree.N)
}

func main() {
	if os.Args[1] == "key" {
		skey, vkey, err := note.GenerateKey(rand.Reader, os.Args[2])
		fail(err)
		fmt.Printf("%s\n%s\n", skey, vkey)
		return
	}
	p := readPolicy(os.Args[2])
	switch os.Args[1] {
	case "submit":
		old, err := strconv.ParseInt(os.Args[6], 10, 64)
		fail(err)
		size, err := strconv.ParseInt(os.Args[7], 10, 64)
		fail(err)
		p.submit(os.Args[3], os.Args[4], os.Args[5], old, size)
	case "proof":
		text, err := os.ReadFile(os.Args[3])
		fail(err)
		leaf, err := os.ReadFile(os.Args[4])
		fail(err)
		head, checkpoint, found := strings.Cut(string(text), "\n\n")
		lines := strings.Split(head, "\n")
		if !found || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
			fail(errors.New("not a proof"))
		}
		index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
		fail(err)
		var proof tlog.RecordProof
		for _, line := range lines[2:] {
			hash, err := tlog.ParseHash(line)
			fail(err)
			proof = append(proof, hash)
		}
		tree := p.open([]byte(checkpoint))
		fail(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf)))
		fmt.Printf("OK %d in %d\n", index, tree.N)
	case "tiles":
		text, err := os.ReadFile(filepath.Join(os.Args[3], "checkpoint"))
		fail(err)
		tree := p.open(text)
		root, err := tlog.TreeHash(tree.N, readEntries(os.Args[3], tree.N))
		fail(err)
		if root != tree.Hash {
			fail(errors.New("the entries have another root"))
		}
		fmt.Printf("OK %d\n", tree.N)
	case "growth":
		old, err := os.ReadFile(os.Args[3])
		fail(err)
		text, err := os.ReadFile(filepath.Join(os.Args[4], "checkpoint"))
		fail(err)
		before, after := p.open(old), p.open(text)
		proof, err := tlog.ProveTree(after.N, before.N, readEntries(os.Args[4], after.N))
		fail(err)
		fail(tlog.CheckTree(proof, after.N, after.Hash, before.N, before.Hash))
		fmt.Printf("OK %d -> %d\n", before.N, after.N)
	}
}

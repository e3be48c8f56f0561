package certs

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"millrace/internal/secretfile"
)

// Pool returns the authorities of a PEM file. They take the place of the system's, as with other
// programs: who names an authority of his own means that no other one can vouch for the server.
func Pool(path string) (*x509.CertPool, error) {
	text, err := secretfile.Bytes(path, secretfile.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities of %s: %w", path, err)
	}
	pool := x509.NewCertPool()
	blocks := blocksOf(text, "CERTIFICATE")
	for i, block := range blocks {
		cert, err := x509.ParseCertificate(block)
		if err != nil {
			return nil, fmt.Errorf("read certificate authorities: certificate %d of %s: %w", i+1, path, err)
		}
		pool.AddCert(cert)
	}
	if len(blocks) == 0 {
		return nil, fmt.Errorf("read certificate authorities: %s has no PEM block -----BEGIN CERTIFICATE-----", path)
	}
	return pool, nil
}

// blocksOf returns what the blocks of a type have in a PEM file.
func blocksOf(text []byte, of string) (blocks [][]byte) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return blocks
		}
		if block.Type == of {
			blocks = append(blocks, block.Bytes)
		}
	}
}

CREATE TYPE order_status AS ENUM ('placed', 'paid', 'shipped');

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    city text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE products (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku text NOT NULL UNIQUE,
    name text NOT NULL,
    price numeric(10,2) NOT NULL
);
CREATE TABLE inventory (
    product_id bigint PRIMARY KEY REFERENCES products,
    quantity int NOT NULL,
    updated_at timestamptz
);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    status order_status NOT NULL DEFAULT 'placed',
    total numeric(12,2),
    note text,
    placed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE order_lines (
    order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
    line int NOT NULL,
    product_id bigint NOT NULL REFERENCES products,
    quantity int NOT NULL,
    price numeric(10,2) NOT NULL,
    PRIMARY KEY (order_id, line)
);

INSERT INTO customers (name, email, city)
SELECT 'Customer ' || n, 'customer' || n || '@example.com', (ARRAY['Lisbon', 'Graz', 'Århus', 'Łódź'])[1 + n % 4]
FROM generate_series(1, 200) n;
INSERT INTO products (sku, name, price)
SELECT 'P-' || lpad(n::text, 6, '0'), 'Product ' || n, 1 + n * 7 % 200 + 0.99
FROM generate_series(1, 500) n;
INSERT INTO inventory (product_id, quantity) SELECT id, 1000 FROM products;

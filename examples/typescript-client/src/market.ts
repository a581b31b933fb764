// A market from nothing, through GraphQL alone: a vertical, a campaign, a supplier with a source, a buyer with money and a
// contract; a lead that is sold, a complaint that is upheld, and the books that say what was earned.
//
//   LEADYARD_URL=http://127.0.0.1:8080/graphql LEADYARD_EMAIL=… LEADYARD_PASSWORD=… npm start
import assert from 'node:assert/strict';
import { Api, there } from './client.js';
import * as documents from './documents.js';

function setting(name: string): string {
  return there(process.env[name], `setting ${name}`);
}

const url = setting('LEADYARD_URL');
// Names are taken once: with a mark of its own the example can run again on the same server.
const mark = Date.now().toString(36);

async function signIn(): Promise<Api> {
  const input = { email: setting('LEADYARD_EMAIL'), password: setting('LEADYARD_PASSWORD') };
  const { sessionCreate } = await new Api(url).change(documents.SignIn, { input });
  return new Api(url, there(sessionCreate.session?.token, 'session'));
}

/** What is sold, and how: a solar enquiry goes to one buyer, the first who may have it. */
async function setUpCampaign(api: Api): Promise<string> {
  const { verticalCreate } = await api.change(documents.CreateVertical, {
    input: {
      key: `solar-${mark}`,
      name: `Solar ${mark}`,
      fields: [
        { key: 'name', kind: 'TEXT', personal: true, required: 'POST' },
        { key: 'email', kind: 'EMAIL', personal: true, required: 'POST' },
        { key: 'phone', kind: 'PHONE', personal: true, required: 'POST' },
        { key: 'postal_code', kind: 'POSTAL_CODE', personal: false, required: 'PING' },
        { key: 'roof', kind: 'TEXT', personal: false, required: 'NEVER', allowed: ['pitched', 'flat'] },
      ],
    },
  });
  const { campaignCreate } = await api.change(documents.CreateCampaign, {
    input: {
      verticalId: there(verticalCreate.vertical, 'vertical').id,
      name: `Solar Germany ${mark}`,
      country: 'DE',
      currency: 'EUR',
      timeZone: 'Europe/Berlin',
      stages: [{ key: 'main', method: 'WATERFALL' }],
      complaintPolicy: { windowDays: 14, reasons: ['WRONG_CONTACT', 'OUTSIDE_TERMS'], clawback: true },
    },
  });
  return there(campaignCreate.campaign, 'campaign').id;
}

/** Who sends: answers the key with which the supplier's own site sends. */
async function setUpSource(api: Api, campaignId: string): Promise<string> {
  const { supplierCreate } = await api.change(documents.CreateSupplier, { input: { name: `Sonnenseiten ${mark}` } });
  const { sourceCreate } = await api.change(documents.CreateSource, {
    input: {
      campaignId,
      supplierId: there(supplierCreate.supplier, 'supplier').id,
      name: 'Web form',
      cost: { kind: 'PER_SOLD_LEAD', amountMinor: '900' },
    },
  });
  const { sourceKeyCreate } = await api.change(documents.CreateSourceKey, {
    input: { sourceId: there(sourceCreate.source, 'source').id, label: 'The site' },
  });
  return there(sourceKeyCreate.secret, 'key');
}

/** Who buys: pitched roofs around Berlin, at 24 euros, at most ten a day, read in the buyer's own area. */
async function setUpBuyer(api: Api, campaignId: string): Promise<string> {
  const { buyerCreate } = await api.change(documents.CreateBuyer, {
    input: { name: `Hanse Solar ${mark}`, timeZone: 'Europe/Berlin' },
  });
  const buyerId = there(buyerCreate.buyer, 'buyer').id;
  const { destinationCreate } = await api.change(documents.CreateDestination, {
    input: { buyerId, name: 'Buyer area', settings: { portal: true } },
  });
  await api.change(documents.CreateContract, {
    input: {
      campaignId,
      buyerId,
      name: 'Berlin',
      stage: 'main',
      priceMinor: '2400',
      filter: { all: [{ postalPrefixes: ['10', '12', '13'] }, { equals: { field: 'roof', value: 'pitched' } }] },
      caps: [{ period: 'DAY', count: 10 }],
      destinationIds: [there(destinationCreate.destination, 'destination').id],
    },
  });
  const { walletTopUp } = await api.change(documents.TopUp, {
    input: { buyerId, currency: 'EUR', amountMinor: '10000', memo: 'Bank transfer', idempotencyKey: `top-up-${mark}` },
  });
  assert.equal(walletTopUp.wallet?.balance.amountMinor, '10000');
  return buyerId;
}

/** The supplier's site sends what a visitor filled in. */
async function sendLead(key: string, postalCode: string, person: string): Promise<{ id: string; state: string }> {
  const fields = { name: 'Erika Muster', email: `${person}.${mark}@example.com`, phone: '030 20000000', postal_code: postalCode, roof: 'pitched' };
  const { leadSubmit } = await new Api(url, key).change(documents.SubmitLead, {
    input: {
      fields: Object.entries(fields).map(([key, value]) => ({ key, value })),
      consent: {
        text: 'I agree to be called about my enquiry.',
        textVersion: '2026-01',
        givenAt: new Date().toISOString(),
        purposes: ['contact_by_phone'],
      },
    },
  });
  const submission = there(leadSubmit.submission, 'answer');
  return { id: there(submission.lead, 'lead').id, state: submission.state };
}

async function main(): Promise<void> {
  const api = await signIn();
  const campaignId = await setUpCampaign(api);
  const key = await setUpSource(api, campaignId);
  const buyerId = await setUpBuyer(api, campaignId);

  const sold = await sendLead(key, '10115', 'erika');
  assert.equal(sold.state, 'SOLD');
  const elsewhere = await sendLead(key, '80331', 'max');
  assert.notEqual(elsewhere.state, 'SOLD');

  const story = there((await api.ask(documents.LeadStory, { id: sold.id })).lead, 'lead');
  const sale = there(story.sales[0], 'sale');
  console.log(`The lead from Berlin: ${story.state}, to ${sale.buyer.name} for ${sale.price.amountMinor} cents`);
  const { lead: other } = await api.ask(documents.LeadStory, { id: elsewhere.id });
  const refusals = other?.decision?.contracts.map((seen) => `${seen.contractName}: ${seen.refusal?.message}`);
  console.log(`The lead from Munich: ${other?.state}, because ${refusals?.join('; ')}`);

  const { complaintOpen } = await api.change(documents.OpenComplaint, {
    input: { saleId: sale.id, reason: 'WRONG_CONTACT', evidence: 'Somebody else answers' },
  });
  const { complaintDecide } = await api.change(documents.DecideComplaint, {
    input: { complaintId: there(complaintOpen.complaint, 'complaint').id, verdict: 'UPHOLD', note: 'You are right' },
  });
  console.log(`The complaint: ${complaintDecide.complaint?.state}, ${complaintDecide.complaint?.credit.amountMinor} cents back`);

  const today = new Date().toISOString().slice(0, 10);
  const day = (days: number): string => new Date(Date.parse(today) + days * 86_400_000).toISOString().slice(0, 10);
  const books = await api.ask(documents.Books, { buyer: buyerId, range: { since: day(-1), until: day(1) } });
  const line = there(books.profitAndLoss.find((found) => found.name?.endsWith(mark)), 'line of the campaign');
  const sums = [line.revenue, line.credits, line.payout, line.profit].map((sum) => sum.amountMinor);
  console.log(`The books: revenue ${sums[0]}, credits ${sums[1]}, payout ${sums[2]}, profit ${sums[3]}`);
  assert.deepEqual(sums, ['2400', '2400', '0', '0']);
  assert.equal(books.buyer?.wallets[0]?.balance.amountMinor, '10000');
  console.log('A market was set up, sold a lead, took a complaint and closed its books through GraphQL alone.');
}

await main();
